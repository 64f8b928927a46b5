"""Ctrl-C: it ends a job with one sentence, whatever it falls into."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from lib.errors import exit_code_of

STOPPED = "stopped; the same command resumes it"
SLOW_S = 30.0


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield what is set once Ctrl-C is pressed; it raises KeyboardInterrupt, as ever.

    Python ignores what is raised in some of its own hooks, and other libraries end the process in
    their own way: where the job goes on for 30 s all the same, the process ends without them.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    last = threading.Timer(SLOW_S, _end_late)
    last.daemon = True

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if not pressed.is_set():
            pressed.set()
            last.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield pressed
    finally:
        last.cancel()
        signal.signal(signal.SIGINT, before)


def leave_at_once() -> NoReturn:
    """End the process without what else would run then: a run is resumed wherever it was left."""
    sys.stdout.flush()
    os._exit(exit_code_of(KeyboardInterrupt()))


def _end_late() -> None:
    print(STOPPED, file=sys.stderr, flush=True)
    leave_at_once()
