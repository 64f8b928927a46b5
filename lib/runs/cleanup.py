"""What runs leave behind: found by age, and never what a manifest or the table points to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from lib.labels.delta_table import LabelsTable
from lib.runs import files
from lib.runs.run import Run
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

# what the parts, or the bundle, of a run that is finished stand for
SUPERSEDED = (
    *(files.SHARDS, files.EMBEDDINGS, files.ATTEMPTS, files.PIXELS),
    *(files.CHECKPOINTS, files.FINETUNE, files.NETWORK, files.INITIAL_MODEL),
)


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nothing needs any more, and why."""

    uri: str
    why: str


def clean(
    output: str, older_than: timedelta, storage: Storage, *, delete: bool
) -> tuple[list[Leftover], Counter[str]]:
    """Find, or remove, what runs have left in their folder, and in the tables they published to.

    Returns:
        What was found; and how many runs stay as they are, by the reason.

    Raises:
        InputError: the folder cannot be listed, or the store refuses.
    """
    kept: Counter[str] = Counter()
    found = list(find_leftovers(output, older_than, storage, kept))
    for leftover in found:
        if delete:
            storage.delete_below(leftover.uri)
    for table in tables_of(output, storage):
        found += stale_files(table, older_than, storage, delete=delete)
    return found, kept


def find_leftovers(
    output: str, older_than: timedelta, storage: Storage, kept: Counter[str]
) -> Iterator[Leftover]:
    """Find what can go in a folder of run folders.

    An unfinished run goes as a whole; of a finished one, what its parts or its bundle stand for.

    Args:
        output: the folder.
        older_than: since a run was begun; younger runs are not touched.
        storage: how to reach it.
        kept: counts the runs of which nothing goes, by the reason.

    Raises:
        InputError: the folder cannot be listed.
    """
    for run_id in sorted(storage.names(absolute(output))):
        run = Run(run_id, join(absolute(output), run_id), storage)
        names = storage.names(run.uri)
        if files.RECORD not in names:
            continue
        age = run.record.age
        if age < older_than:
            kept[f"younger than {older_than.total_seconds() / 86_400:g} days"] += 1
            continue
        if not names & {files.MANIFEST, files.OUTCOME}:
            yield Leftover(run.uri, f"begun {age.days} days ago and never finished")
            continue
        superseded = [name for name in SUPERSEDED if name in names]
        if not superseded:
            kept["finished, with nothing to remove"] += 1
        for name in superseded:
            yield Leftover(run.at(name), "superseded by what the finished run holds")


def tables_of(output: str, storage: Storage) -> list[str]:
    """Return the labels tables that the runs of a folder have published to."""
    tables: set[str] = set()
    for run_id in storage.names(absolute(output)):
        run = Run(run_id, join(absolute(output), run_id), storage)
        if run.exists(files.OUTCOME):
            # an evaluation of a bundle names none
            tables |= {run.record.run_file.get("labels_table") or ""}
    return sorted(tables - {""})


def stale_files(
    table: str, older_than: timedelta, storage: Storage, *, delete: bool
) -> list[Leftover]:
    """Find, or delete, files of a table that no version of the last `older_than` points to."""
    labels = LabelsTable(table, storage)
    if labels.version() is None:
        return []
    files = labels.vacuum(older_than, delete=delete)
    return [Leftover(join(table, file), "of a version that is too old") for file in files]
