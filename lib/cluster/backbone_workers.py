"""The Ray boundary of a backbone: its calls, made by workers."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ray

from lib.cluster.worker_errors import worker_errors
from lib.cluster.workers_config import WorkersConfig

FoundT = TypeVar("FoundT")


def call_on_ray(calls: Sequence[Callable[[], FoundT]], workers: WorkersConfig) -> list[FoundT]:
    """Make calls on the cluster, each where a worker would run; return what each has found.

    Args:
        calls: travel to the workers; Ray must be connected.
        workers: what each call reserves.

    Raises:
        ReshelveError: one of them failed.
    """
    made: Any = ray.remote(num_cpus=workers.cpus, num_gpus=workers.gpus)(_made)
    with worker_errors():
        found: list[FoundT] = ray.get([made.remote(call) for call in calls])
    return found


def _made(call: Callable[[], FoundT]) -> FoundT:
    return call()
