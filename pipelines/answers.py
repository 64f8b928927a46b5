"""People's answers beside a job: which of them it respects, and what a backfill makes of them."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.errors import InputError
from lib.labels.annotations import annotations_of
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.carried_answers import carried_answers
from lib.labels.decisions import Decision
from lib.labels.people import respected
from lib.runs import files
from lib.runs.progress import plural
from lib.runs.run import Run
from lib.storage.storage import Storage
from lib.taxonomy.migration import Migration


def annotations_place(named: str | None, labels_table: str) -> str:
    """Return where the answers about a table's items lie: as a run file says, or beside it."""
    return named or annotations_of(labels_table)


def read_annotations(place: str, storage: Storage, decisions: Iterable[pa.RecordBatch]) -> pa.Table:
    """Read all that people have said of a table's items.

    Args:
        place: of the table of annotations; where none is, nothing was said.
        storage: how to reach it.
        decisions: the column of the labels table; looked at only where nothing was said.

    Raises:
        InputError: what lies there is no table of annotations, or none is there though labels are
            people's: without it, these would be lost.
        StoreError: the store does not answer.
    """
    table = AnnotationsTable(place, storage)
    if table.version() is None:
        labels = sum(
            pc.sum(pc.equal(b["decision"], Decision.PERSON)).as_py() or 0 for b in decisions
        )
        if labels:
            raise InputError(
                f"{place}: there is no table of annotations here, and {plural(labels, 'label')} "
                "would be lost that people have decided; name their table with 'annotations'"
            )
    return table.read()


def answers_after(annotations: pa.Table, migration: Migration) -> pa.Table:
    """Return the answers that labels respect in the taxonomy that a table is moved to."""
    carried = carried_answers(annotations, migration)
    return respected(pa.concat_tables([annotations, carried]), migration.new)


def carry_answers(place: str, migration: Migration, storage: Storage) -> int:
    """Append what becomes of the answers in the new taxonomy; return how many were not there yet.

    Raises:
        InputError, StoreError: what lies there cannot be read, or they cannot be written.
    """
    table = AnnotationsTable(place, storage)
    every = table.read()
    carried = carried_answers(every, migration)
    there = pc.is_in(carried["annotation_id"], every["annotation_id"].combine_chunks())
    new = carried.filter(pc.invert(there))
    if new.num_rows:
        table.append(new)
    return int(new.num_rows)


def keep_answers(answers: pa.Table, folder: Path) -> int:
    """Write the answers of a plan into its local folder; return their number."""
    parquet.write_table(answers, folder / files.ANSWERS, compression="zstd")
    return int(answers.num_rows)


def upload_answers(run: Run, count: int, folder: Path) -> None:
    """Put what `keep_answers` has written into the run's folder; of none there is no file."""
    if count:
        run.storage.upload(folder / files.ANSWERS, run.at(files.ANSWERS))
