"""Cleaning, step by step: find what nothing needs, say it, and remove it when told to."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from lib.runs.cleanup import find_leftovers, stale_files, tables_of
from lib.storage.config import storage_of
from lib.storage.storage import Storage


def clean(
    output: str,
    run_file: Path | None,
    older_than: timedelta,
    *,
    delete: bool,
    say: Callable[[str], None],
) -> None:
    """Clean a folder of run folders, and the labels tables that its runs published to.

    Raises:
        InputError: the folder cannot be listed, or the store refuses.
    """
    storage = Storage(storage_of(run_file))
    found = list(find_leftovers(output, older_than, storage))
    for leftover in found:
        if delete:
            storage.delete_below(leftover.uri)
    for table in tables_of(output, storage):
        found += stale_files(table, older_than, storage, delete=delete)
    for leftover in found:
        say(f"{'removed' if delete else 'would remove'} {leftover.uri}: {leftover.why}")
    if not found:
        say("nothing to remove")
    elif not delete:
        say("nothing was removed; --delete does it")
