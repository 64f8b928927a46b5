"""What a report of a training needs, worked out by another process while the bundle is made."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from lib.processes import Process, cores
from pipelines.train_workers import call_all, callers

# they take seconds to load, as long as the training takes to read its items
MODULES: Final = ("lib.heads.learning_curve", "cleanlab.filter")
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

FoundT = TypeVar("FoundT")


class Aside:
    """Makes calls, one after the other, by another process; at once, where there is none."""

    def __init__(self, process: Process | None = None) -> None:
        """Take over a process that has been started."""
        self._thread = ThreadPoolExecutor(1)
        self._processes = callers([_ENVIRONMENT], process) if process else None

    def call(self, call: Callable[[], FoundT]) -> Future[FoundT]:
        """Return what will be found; the call and that travel between processes."""
        if processes := self._processes:
            return self._thread.submit(lambda: call_all(processes, [call])[0])
        found: Future[FoundT] = Future()
        found.set_result(call())
        return found

    def close(self) -> None:
        """End the process; what it has begun comes to its end first, and nothing else is begun."""
        self._thread.shutdown(cancel_futures=True)
        if self._processes:
            self._processes.__exit__()


def start_aside() -> Aside:
    """Return one with a process that loads what it will need, where a core may be idle."""
    return Aside(Process(_ENVIRONMENT, MODULES) if cores() > 1 else None)
