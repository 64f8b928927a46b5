"""What the commands share: the run file, overrides, and errors as one sentence and an exit code."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from jobs.app import App
from jobs.interrupt import STOPPED, interruptible, leave_at_once
from lib.errors import ReshelveError, exit_code_of
from lib.printable import printable

Say = Callable[[str], None]  # takes each line for the person who waits


@contextmanager
def reporting(tell: Callable[[BaseException | None], None] = lambda _: None) -> Iterator[Say]:
    """Yield a way to print lines; end the process as documented when the job cannot go on.

    Args:
        tell: takes what has ended the job, or None; after all lines, and whatever it was.
    """
    # what a store's client leaves unread is in the job's own sentence, or a retry has mended it
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    with interruptible() as pressed:
        try:
            yield lambda line: print(printable(line), flush=True)
            tell(None)
        except BaseException as error:
            # what Ctrl-C has become on its way says nothing to a person
            ended = KeyboardInterrupt() if pressed.is_set() else error
            if isinstance(ended, ReshelveError | KeyboardInterrupt):
                said = f"error: {ended}" if isinstance(ended, ReshelveError) else STOPPED
                print(printable(said), file=sys.stderr, flush=True)
                tell(ended)
                if pressed.is_set():
                    leave_at_once()
                raise typer.Exit(exit_code_of(ended)) from None
            # a wrong command, or our mistake: what calls us says it
            if isinstance(ended, Exception):
                tell(ended)
            raise


def run(main: Callable[..., None]) -> None:
    """Run one job as a command of its own."""
    app = new_app()
    app.command()(main)
    app()


def new_app(*, completion: bool = False) -> App:
    """Make a command line whose unforeseen errors are plain tracebacks, without values.

    Help and errors are plain lines, too: frames and colours are noise in a job's log.
    """
    return App(
        no_args_is_help=True,
        add_completion=completion,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
