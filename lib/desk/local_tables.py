"""How a version of the labels table lies on the local disk: its tables, and what is shown."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from lib.schemas import LABELS_SCHEMA
from lib.sql import SETTINGS, streamed
from lib.storage.local import appearing

MEMORY_MB = 512

# an answer as it is kept here: of which image, whether it stands, of which row, as a number, since
# a million rows are joined with it in a third of the time that their ids take; and whether it is
# shown in the place of that row's label. Of `told`, and of what `LABELLED` finds.
KEPT = """
    SELECT told.*, coalesce(told.etag, told.uri) AS image, l.place,
        coalesce(answer IN ('category', 'rejected'), false) AS stands,
        coalesce(answer <> 'withdrawn' OR l.decision = 'person', false)
            AND l.place IS NOT NULL AS counts
    FROM told LEFT JOIN {labelled} l
        ON l.item_id = told.item_id AND l.image = coalesce(told.etag, told.uri)"""
LABELLED = "SELECT item_id, coalesce(etag, uri) AS image, rowid AS place, decision FROM labels"
# what a person sees of an item: its label, or a person's answer in its place
_SHOWN = """
    CREATE OR REPLACE VIEW shown AS
    SELECT l.* EXCLUDE (category_id, category_path, decision),
        CASE WHEN a.stands THEN a.category_id ELSE l.category_id END AS category_id,
        CASE WHEN a.stands THEN c.category_path ELSE l.category_path END AS category_path,
        CASE WHEN a.stands THEN 'person'
            WHEN a.answer = 'split' OR a.answer IS NOT NULL AND l.decision = 'person' THEN 'review'
            ELSE l.decision END AS decision,
        l.rowid AS place, l.category_id AS model_category_id, l.decision AS model_decision,
        a.answer, a.annotation_id, a."by", a."at", a.why
    FROM labels l
    LEFT JOIN answers a ON l.rowid = a.place AND a.counts
    LEFT JOIN categories c ON a.category_id = c.category_id"""
# counted once: the runs and errors that a page offers
_COUNTED = """
    CREATE TABLE counted AS SELECT error, run_id,
        count(*) AS items, max(classified_at) AS "at" FROM labels GROUP BY ALL"""
_SECOND = """
    CREATE TABLE second AS SELECT category_id, top_k[2].category_id AS second,
        count(*) AS items, sum(top_k[2].probability::DOUBLE) AS probability
    FROM labels GROUP BY ALL"""


def write_local(
    path: Path,
    rows: Iterable[pa.RecordBatch],
    paths: Mapping[str, str],
    answers: pa.Table,
    history: pa.Table | None = None,
) -> None:
    """Write a version of the table as a database; it appears whole, or not at all.

    Args:
        path: of the database.
        rows: of `LABELS_SCHEMA`.
        paths: path of each category of the taxonomy, by id.
        answers: the newest annotation of each image, of `ANNOTATIONS_SCHEMA`.
        history: all annotations, of `ANNOTATIONS_SCHEMA`; None where those are all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as temporary:
        connection = duckdb.connect(str(temporary), config=settings(threads=2))
        try:
            with streamed(connection, "rows", LABELS_SCHEMA, rows):
                connection.execute(
                    """CREATE TABLE labels AS SELECT *,
                        coalesce(top_k[1].probability, 0) - coalesce(top_k[2].probability, 0)
                        AS margin FROM rows"""
                )
            connection.execute("CREATE UNIQUE INDEX items ON labels (item_id)")
            connection.execute(_COUNTED)
            connection.execute(_SECOND)
            categories = pa.table(
                {"category_id": list(paths), "category_path": list(paths.values())},
                pa.schema([("category_id", pa.string()), ("category_path", pa.string())]),
            )
            connection.register("given", categories)
            connection.execute("CREATE TABLE categories AS SELECT * FROM given")
            connection.register("told", answers)
            connection.execute(f"CREATE TABLE answers AS {KEPT.format(labelled=f'({LABELLED})')}")
            connection.execute("CREATE UNIQUE INDEX answer_of ON answers (item_id, image)")
            connection.register("all_told", answers if history is None else history)
            connection.execute("CREATE TABLE history AS SELECT * FROM all_told")
            connection.execute("CREATE INDEX told_of ON history (item_id)")
            connection.execute("CREATE UNIQUE INDEX told ON history (annotation_id)")
            connection.execute(_SHOWN)
        finally:
            connection.close()


def settings(threads: int) -> dict[str, str | int | float | list[str]]:
    """Return how DuckDB holds such a database."""
    return {**SETTINGS, "memory_limit": f"{MEMORY_MB}MB", "threads": threads}
