"""Threads that fit small matrices: one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread meanwhile.

    Of small matrices, threads that wait for each other take many times what they compute, and most
    where other processes use the cores.
    """
    # what is loaded later would not be limited
    import sklearn.linear_model  # noqa: F401, PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
