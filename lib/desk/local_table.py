"""A version of the labels table as a local database, which pages are read from in milliseconds."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from lib.labels.decisions import Decision
from lib.schemas import ANNOTATIONS_SCHEMA, LABELS_SCHEMA
from lib.sql import SETTINGS, read_rows, streamed
from lib.storage.local import appearing

MEMORY_MB = 512
Row = dict[str, Any]

# what a person sees of an item: its label, or a person's answer in its place
_SHOWN = """
    CREATE OR REPLACE VIEW shown AS
    SELECT l.* EXCLUDE (category_id, category_path, decision),
        CASE WHEN a.answer IS NULL THEN l.category_id ELSE a.category_id END AS category_id,
        CASE WHEN a.answer IS NULL THEN l.category_path ELSE c.category_path END AS category_path,
        CASE WHEN a.answer IN ('category', 'rejected') THEN 'person'
            WHEN a.answer IS NOT NULL THEN 'review' ELSE l.decision END AS decision,
        l.category_id AS model_category_id, l.decision AS model_decision,
        a.answer, a."by", a."at", a.why
    FROM labels l
    LEFT JOIN answers a ON l.item_id = a.item_id AND coalesce(l.etag, l.uri) = a.image
    LEFT JOIN categories c ON a.category_id = c.category_id"""


def write_local(
    path: Path, rows: Iterable[pa.RecordBatch], paths: Mapping[str, str], answers: pa.Table
) -> None:
    """Write a version of the table as a database; it appears whole, or not at all.

    Args:
        path: of the database.
        rows: of `LABELS_SCHEMA`.
        paths: path of each category of the taxonomy, by id.
        answers: the newest annotation of each image, of `ANNOTATIONS_SCHEMA`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as temporary:
        connection = duckdb.connect(str(temporary), config=_settings())
        try:
            with streamed(connection, "rows", LABELS_SCHEMA, rows):
                connection.execute(
                    """CREATE TABLE labels AS SELECT *,
                        coalesce(top_k[1].probability, 0) - coalesce(top_k[2].probability, 0)
                        AS margin FROM rows"""
                )
            connection.execute("CREATE UNIQUE INDEX items ON labels (item_id)")
            categories = pa.table(
                {"category_id": list(paths), "category_path": list(paths.values())},
                pa.schema([("category_id", pa.string()), ("category_path", pa.string())]),
            )
            connection.register("given", categories)
            connection.execute("CREATE TABLE categories AS SELECT * FROM given")
            connection.register("told", answers)
            connection.execute(
                "CREATE TABLE answers AS SELECT *, coalesce(etag, uri) AS image FROM told"
            )
            connection.execute("CREATE INDEX answered ON answers (item_id)")
            connection.execute(_SHOWN)
        finally:
            connection.close()


class LocalTable:
    """One version of the table, open for questions from many threads."""

    def __init__(self, path: Path, version: int) -> None:
        """Open what `write_local` has written."""
        self.version, self._path = version, path
        self._connection = duckdb.connect(str(path), config=_settings())

    def rows(self, query: str, values: Mapping[str, object] | None = None) -> list[Row]:
        """Return the rows of a query over `shown`, `labels`, `answers` or `categories`."""
        cursor = self._connection.cursor()
        try:
            found: list[Row] = read_rows(cursor, query, dict(values or {})).read_all().to_pylist()
            return found
        finally:
            cursor.close()

    def items(self, item_ids: Sequence[str]) -> list[Row]:
        """Return what is shown of some items, in their order; of ids that it lacks, nothing."""
        query = "SELECT * FROM shown WHERE list_contains($ids, item_id)"
        found = {row["item_id"]: row for row in self.rows(query, {"ids": list(item_ids)})}
        return [found[each] for each in item_ids if each in found]

    def item(self, item_id: str) -> Row | None:
        """Return what is shown of an item, or None."""
        found = self.rows("SELECT * FROM shown WHERE item_id = $id", {"id": item_id})
        return found[0] if found else None

    def counts(self) -> dict[str, int]:
        """Count the items by what became of them, all of `Decision` and `person`."""
        query = "SELECT decision, count(*) AS items FROM shown GROUP BY 1"
        found = {row["decision"]: row["items"] for row in self.rows(query)}
        return {name: found.get(name, 0) for name in (*Decision, "person")}

    def take_in(self, answers: pa.Table) -> None:
        """Show newer annotations, of `ANNOTATIONS_SCHEMA`, in the place of those before them."""
        cursor = self._connection.cursor()
        try:
            cursor.register("told", answers.select(ANNOTATIONS_SCHEMA.names))
            cursor.execute("BEGIN")
            cursor.execute(
                """DELETE FROM answers USING told
                WHERE answers.item_id = told.item_id
                    AND answers.image = coalesce(told.etag, told.uri)"""
            )
            cursor.execute("INSERT INTO answers SELECT *, coalesce(etag, uri) FROM told")
            cursor.execute("COMMIT")
        finally:
            cursor.close()

    def close(self) -> None:
        """Close and remove the database."""
        self._connection.close()
        self._path.unlink(missing_ok=True)


def _settings() -> dict[str, str | int | float | list[str]]:
    return {**SETTINGS, "memory_limit": f"{MEMORY_MB}MB", "threads": 2}
