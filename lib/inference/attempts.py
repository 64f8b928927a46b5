"""Which units were begun, and by which command: one that is begun again has ended badly before."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lib.errors import ReshelveError
from lib.runs import files
from lib.runs.run import Run

AGAIN = 4  # times that one command begins a unit which was begun before


def begin(run: Run, unit: int) -> bool:
    """Put on record that a unit is begun; False where that was on record already.

    A process that an image has killed leaves nothing else behind. The loss of a node, or of the
    whole job, looks the same, and costs the unit's next attempt no more than some care.
    """
    return run.create(_record(unit), _attempt())


def begin_again(run: Run, unit: int, command: str) -> None:
    """Put on record that a command begins a unit which was begun before.

    Raises:
        ReshelveError: this command has begun the unit so often that it would never end.
    """
    # those of other commands do not count: however often a job is killed, its next one goes on
    again = f"{_record(unit)}-{command}"
    attempt = _attempt()
    if not any(run.create(f"{again}-{n}", attempt) for n in range(AGAIN)):
        raise ReshelveError(
            f"unit {unit} has ended its process each time, {AGAIN} times although its images were "
            f"decoded in processes of their own (begun when: {run.at(again)}-*); most often memory "
            "runs out: give the nodes more, or lower engine.batch_size, reading.threads or "
            "reading.max_image_pixels; the same command tries again"
        )


def _record(unit: int) -> str:
    return f"{files.ATTEMPTS}/unit-{unit:07d}"


def _attempt() -> bytes:
    # no two attempts write the same: to `create`, equal bytes are its own
    return f"{datetime.now(UTC).isoformat(timespec='seconds')} {secrets.token_hex(8)}".encode()


class Turns:
    """Lets units run side by side, and one that was begun before alone: only it is to blame.

    After an error no unit begins any more: it ends the job, or this process.
    """

    def __init__(self, places: int) -> None:
        """Make room for so many units."""
        self._count, self._places = places, threading.Semaphore(places)
        self._order = threading.Lock()

    @contextmanager
    def side_by_side(self) -> Iterator[None]:
        """Take one place."""
        self._places.acquire()
        yield
        self._places.release()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Take every place."""
        with self._order:  # two that each hold one would wait for ever
            for _ in range(self._count):
                self._places.acquire()
        yield
        self._places.release(self._count)
