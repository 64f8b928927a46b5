"""A sign of life in a run's folder, every some seconds, and what stopped a run that failed."""

import os
import socket
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from lib.config.config import Config
from lib.errors import ConflictError, GateError, InputError, sentence_of
from lib.runs import files
from lib.runs.run import Run

EVERY_S = 30.0
DEAD_AFTER_S = 120.0  # without a sign


class Beat(Config):
    """`heartbeat.json`: when a run was last alive, where, and what has stopped it."""

    at: datetime
    host: str
    pid: int
    failed: str = ""  # the sentence that it ended with, where it did not end well


class Heartbeat:
    """Writes a run's sign of life for as long as the context is open."""

    def __init__(self, run: Run) -> None:
        """Begin with the context."""
        self._run = run
        self._ended = threading.Event()
        # the process may end at any time: a heartbeat must not keep it
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        """Write the first sign, and go on in a thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and write down what has stopped the run, unless its outcome says it."""
        self._ended.set()
        self._thread.join()
        if error is not None and not isinstance(error, GateError | ConflictError):
            self._write(sentence_of(error))

    def _beat(self) -> None:
        self._write()
        while not self._ended.wait(EVERY_S):
            self._write()

    def _write(self, failed: str = "") -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        beat = Beat(at=now, host=socket.gethostname(), pid=os.getpid(), failed=failed)
        try:
            self._run.write(files.HEARTBEAT, beat.model_dump_json().encode())
        except InputError:
            return  # the run itself will say that its store does not answer; the next sign may come


def read_beat(run: Run) -> Beat | None:
    """Read a run's last sign of life, or None where it has given none."""
    return run.find(files.HEARTBEAT, Beat)
