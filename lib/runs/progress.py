"""Progress for whoever waits: what goes on, and a sign of it every ten seconds."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Thing = TypeVar("Thing")
EVERY_S = 10.0
SHORT_S = 1.0  # a stage that usually ends sooner is said only where it does not


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


def per_second(rate: float) -> str:
    """Write a rate: one digit after the point below a hundred, none from there on."""
    return f"{rate:,.{0 if rate >= 100 else 1}f}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 item`, `1,200 items`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@contextmanager
def stage(
    say: Callable[[str], None], doing: str, counted: str = "items", *, short: bool = False
) -> Iterator[Callable[[int], None]]:
    """Say what begins, and every ten seconds that it still goes on; yield what counts its things.

    Args:
        say: takes each line for the person who waits.
        doing: the stage, as "reading the catalog".
        counted: what the things are, as "items" or "of 20 shards".
        short: whether it usually ends within a second, and is said only where it does not.
    """
    began, done, said = time.monotonic(), 0, not short

    def count(things: int) -> None:
        nonlocal done
        done += things

    def sign() -> None:
        nonlocal said
        so_far = f": {done:,} {counted}" if done else ""
        after = duration(time.monotonic() - began)
        say(f"still {doing}{so_far}, {after}" if said else doing)
        said = True

    if said:
        say(doing)
    with _repeated(sign, SHORT_S if short else EVERY_S):
        yield count


def counted(
    things: Iterable[Thing],
    count: Callable[[int], None],
    size: Callable[[Thing], int] = lambda _: 1,
) -> Iterator[Thing]:
    """Pass things on, and count each of them, by its size."""
    for each in things:
        count(size(each))
        yield each


@contextmanager
def _repeated(sign: Callable[[], None], first_s: float) -> Iterator[None]:
    """Give a sign after some seconds, and every ten seconds then, until the context ends."""
    ended = threading.Event()

    def repeat() -> None:
        wait_s = first_s
        while not ended.wait(wait_s):
            sign()
            wait_s = EVERY_S

    # the process may end at any time: what only speaks must not keep it
    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class ItemProgress:
    """Counts items done and errors; says items/s and the time left.

    On a terminal it is a bar, elsewhere one plain line every ten seconds.
    """

    def __init__(
        self,
        items: int,
        done: int,
        rate: Callable[[], float],
        stream: TextIO,
    ) -> None:
        """Begin with `done` of `items` finished by an earlier try, at some items per second."""
        self._rate = rate
        self._items, self._done, self._before, self._errors = items, done, done, 0
        self._started = time.monotonic()
        self._stream, self._said = stream, -1
        self._signs = _repeated(self._say, EVERY_S)
        self._bar: Progress | None = None
        if stream.isatty():
            from rich import console, progress  # noqa: PLC0415  # 0.1 s, where there is a bar

            share = (
                progress.BarColumn(),
                progress.TaskProgressColumn(),
                progress.TimeElapsedColumn(),
            )
            text = progress.TextColumn("{task.description}")
            self._bar = progress.Progress(*share, text, console=console.Console(file=stream))
            self._task = self._bar.add_task(self._sentence(), total=items, completed=done)

    def __enter__(self) -> Self:
        """Show the bar, where there is one."""
        if self._bar:
            self._bar.start()
        else:
            self._signs.__enter__()
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
            return
        self._signs.__exit__(None, None, None)
        if kind is None and self._said < self._done:
            self._say()

    def add(self, items: int, errors: int) -> None:
        """Count a finished unit."""
        self._done += items
        self._errors += errors
        if self._bar:
            self._bar.update(self._task, completed=self._done, description=self._sentence())

    def _say(self) -> None:
        self._said = self._done
        print(self._sentence(), file=self._stream, flush=True)

    def _sentence(self) -> str:
        if self._done == self._before:  # the workers load the model first
            waiting = f"waiting for the first unit, {duration(time.monotonic() - self._started)}"
            return f"{self._done:,} of {self._items:,} items, {waiting}"
        rate = self._rate()
        left = duration((self._items - self._done) / rate if rate else math.inf)
        return (
            f"{self._done:,} of {plural(self._items, 'item')}, {per_second(rate)} items/s, "
            f"{plural(self._errors, 'error')}, {left} left"
        )
