"""A command line that is a whole process, and ends it without delay."""

import atexit
import os
import sys
import threading
from typing import Any

import typer


class App(typer.Typer):
    """Ends its process without the collector's last round over all that was imported.

    That takes a second or two, and frees what ends anyway. What Python does before it is done:
    threads end, exit functions run, output is flushed.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # as typer's own
        """Run the command that was typed."""
        try:
            return super().__call__(*arguments, **options)
        except SystemExit as ended:
            code = ended.code or 0
            if not isinstance(code, int):
                raise
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # no other name
            atexit._run_exitfuncs()  # noqa: SLF001  # as above
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            except OSError:  # nobody reads any more, which Python says in its own way
                raise ended from None
            os._exit(code)
