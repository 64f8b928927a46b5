"""A local Ray that the tests of a file share."""

import contextlib
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def local_ray() -> Iterator[None]:
    import ray  # noqa: PLC0415  # takes a second, also of tests that are left out

    # as a job starts it: else every pool of actors prints an error about its own arguments
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray.init(
        address="local",  # never one that someone else runs on this machine
        num_cpus=2,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    try:
        yield
    finally:
        ray.shutdown()
