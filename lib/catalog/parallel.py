"""Many tasks at a time, whose batches come as they are made: in any order, in bounded memory."""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import pyarrow as pa

from lib.batches import Batches

QUEUED_BATCHES = 32
IDLE_S = 0.02
Task = TypeVar("Task")


def gather(
    tasks: Iterable[Task],
    work: Callable[[Task, Callable[[Task], None]], Batches],
    workers: int,
    spare: Callable[[], Task | None] = lambda: None,
) -> Batches:
    """Yield what `work` yields of all tasks, many at a time, in any order and with bounded memory.

    Args:
        tasks: the first tasks.
        work: makes batches of a task; is given a function that adds a task.
        workers: tasks at a time.
        spare: what a worker with nothing to do may take; asked by one worker at a time.
    """
    crew = _Crew(tasks, work, spare)
    # daemons: an answer that a reader no longer waits for keeps no process alive
    for _ in range(workers):
        threading.Thread(target=crew.run, daemon=True).start()
    try:
        while workers:
            result = crew.results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                workers -= 1
            elif result.num_rows:
                yield result
    finally:
        crew.stopped.set()


class _Crew(Generic[Task]):
    """Workers that share tasks, and put what they make of them into one bounded queue."""

    def __init__(
        self,
        tasks: Iterable[Task],
        work: Callable[[Task, Callable[[Task], None]], Batches],
        spare: Callable[[], Task | None],
    ) -> None:
        self._waiting, self._busy = deque(tasks), 0
        self._work, self._spare = work, spare
        self._changed = threading.Condition()
        self.stopped = threading.Event()
        # an error ends it all, None one worker
        self.results: queue.Queue[pa.RecordBatch | BaseException | None]
        self.results = queue.Queue(QUEUED_BATCHES)

    def run(self) -> None:
        try:
            while (task := self._take()) is not None:
                for batch in self._work(task, self._add):
                    self._put(batch)
                    if self.stopped.is_set():
                        return
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  # raised again by the reader, in its thread
            self._put(error)
        self._put(None)

    def _add(self, task: Task) -> None:
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()

    def _take(self) -> Task | None:
        with self._changed:
            while not self.stopped.is_set() and (self._waiting or self._busy):
                task = self._waiting.popleft() if self._waiting else self._spare()
                if task is not None:
                    self._busy += 1
                    return task
                self._changed.wait(IDLE_S)
        return None

    def _put(self, result: pa.RecordBatch | BaseException | None) -> None:
        while not self.stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.results.put(result, timeout=IDLE_S)
                return
