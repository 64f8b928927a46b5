"""Progress for whoever waits: a bar on a terminal, one plain line every ten seconds otherwise."""

import math
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

EVERY_S = 10.0


def duration(seconds: float) -> str:
    """Return seconds as a person says them: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if not math.isfinite(seconds):
        return "unknown time"
    if 0 < seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


class ItemProgress:
    """Counts items done and errors; says images/s and the time left."""

    def __init__(self, items: int, done: int, stream: TextIO) -> None:
        """Begin with `done` of `items` finished by an earlier try."""
        self._items, self._done, self._before, self._errors = items, done, done, 0
        self._started = self._spoke = time.monotonic()
        self._stream = stream
        self._bar: Progress | None = None
        if stream.isatty():
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=Console(file=stream))
            self._task = self._bar.add_task("starting", total=items, completed=done)

    def __enter__(self) -> Self:
        """Show the bar, where there is one."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        if self._bar:
            self._bar.stop()
        elif kind is None:
            print(self._sentence(), file=self._stream, flush=True)

    def add(self, items: int, errors: int) -> None:
        """Count a finished unit."""
        self._done += items
        self._errors += errors
        now = time.monotonic()
        if self._bar:
            self._bar.update(self._task, completed=self._done, description=self._sentence())
        elif now - self._spoke >= EVERY_S:
            self._spoke = now
            print(self._sentence(), file=self._stream, flush=True)

    def _sentence(self) -> str:
        elapsed = time.monotonic() - self._started
        rate = (self._done - self._before) / max(elapsed, 1e-9)
        left = duration((self._items - self._done) / rate if rate else math.inf)
        return (
            f"{self._done:,} of {self._items:,} items, {rate:,.0f} images/s, "
            f"{self._errors:,} errors, {left} left"
        )
