"""The state of a run, from any machine that reaches its storage."""

from collections.abc import Callable
from pathlib import Path

from lib.runs.run import Run
from lib.runs.status import status_lines
from lib.storage.config import storage_of
from lib.storage.storage import Storage
from lib.storage.uris import absolute


def status(folder: str, run_file: Path | None, say: Callable[[str], None]) -> None:
    """Say how a run stands; the store's credentials are those of a run file, or none.

    Raises:
        InputError: there is no such run.
    """
    uri = absolute(folder)
    for line in status_lines(Run(uri.rsplit("/", 1)[-1], uri, Storage(storage_of(run_file)))):
        say(line)
