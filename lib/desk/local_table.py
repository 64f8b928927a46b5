"""A version of the labels table as a local database, which pages are read from in milliseconds."""

import threading
from collections import Counter
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
Counts = Mapping[tuple[str | None, str], int]  # by category and decision

# an answer as it is kept here: of which image, whether it stands, and of which row, as a number:
# a million rows are joined with it in a third of the time that their ids take
_KEPT = """*, coalesce(etag, uri) AS image,
    coalesce(answer IN ('category', 'rejected'), false) AS stands,
    (SELECT l.rowid FROM labels l WHERE l.item_id = told.item_id
        AND coalesce(l.etag, l.uri) = coalesce(told.etag, told.uri)) AS place"""
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
    LEFT JOIN answers a ON l.rowid = a.place
        AND (a.answer <> 'withdrawn' OR l.decision = 'person')
    LEFT JOIN categories c ON a.category_id = c.category_id"""

# what was read before somebody's answer may arrive after it, so that each row is compared
_TAKE_IN = (
    f"""CREATE TEMP TABLE newer AS SELECT t.* FROM (SELECT {_KEPT} FROM told) t
        LEFT JOIN answers a ON a.item_id = t.item_id AND a.image = t.image
        WHERE a.item_id IS NULL OR t."at" > a."at"
            OR t."at" = a."at" AND t.annotation_id > a.annotation_id""",  # noqa: S608  # our own words
    """DELETE FROM answers USING newer
        WHERE answers.item_id = newer.item_id AND answers.image = newer.image""",
    "INSERT INTO answers SELECT * FROM newer",
    "DROP TABLE newer",
    """INSERT INTO history SELECT * FROM all_told t
        WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.annotation_id = t.annotation_id)""",
)
# counted once: a page asks for what answers have changed of it
_COUNTED = """
    CREATE TABLE counted AS SELECT category_id, decision, error, run_id,
        count(*) AS items, max(classified_at) AS "at" FROM labels GROUP BY ALL"""
_COUNTS = """
    SELECT category_id, decision, sum(items)::BIGINT AS items FROM (
        SELECT category_id, decision, items FROM counted
        UNION ALL SELECT model_category_id, model_decision, -1 FROM shown WHERE answer IS NOT NULL
        UNION ALL SELECT category_id, decision, 1 FROM shown WHERE answer IS NOT NULL
    ) GROUP BY ALL"""


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
        connection = duckdb.connect(str(temporary), config=_settings())
        try:
            with streamed(connection, "rows", LABELS_SCHEMA, rows):
                connection.execute(
                    """CREATE TABLE labels AS SELECT *,
                        coalesce(top_k[1].probability, 0) - coalesce(top_k[2].probability, 0)
                        AS margin FROM rows"""
                )
            connection.execute("CREATE UNIQUE INDEX items ON labels (item_id)")
            connection.execute(_COUNTED)
            categories = pa.table(
                {"category_id": list(paths), "category_path": list(paths.values())},
                pa.schema([("category_id", pa.string()), ("category_path", pa.string())]),
            )
            connection.register("given", categories)
            connection.execute("CREATE TABLE categories AS SELECT * FROM given")
            connection.register("told", answers)
            connection.execute(f"CREATE TABLE answers AS SELECT {_KEPT} FROM told")  # noqa: S608  # our own words
            connection.execute("CREATE INDEX answered ON answers (item_id)")
            connection.register("all_told", answers if history is None else history)
            connection.execute("CREATE TABLE history AS SELECT * FROM all_told")
            connection.execute("CREATE INDEX told_of ON history (item_id)")
            connection.execute(_SHOWN)
        finally:
            connection.close()


class LocalTable:
    """One version of the table, open for questions from many threads."""

    def __init__(self, path: Path, version: int) -> None:
        """Open what `write_local` has written."""
        self.version, self._path = version, path
        self._connection = duckdb.connect(str(path), config=_settings())
        self._changing, self._making = threading.Lock(), threading.Lock()
        self._made: set[str] = set()
        self._told = 0  # how often answers were taken in
        self._counted: tuple[int, Counts] = (-1, {})
        self.grouped = False  # whether it is known what looks alike
        self.item("")  # reads the index, for which the first page would wait

    def read(self, query: str, values: Mapping[str, object] | None = None) -> pa.Table:
        """Return what a query finds in `shown` and the tables that `write_local` makes."""
        cursor = self._connection.cursor()
        try:
            return read_rows(cursor, query, dict(values or {})).read_all()
        finally:
            cursor.close()

    def rows(self, query: str, values: Mapping[str, object] | None = None) -> list[Row]:
        """Return the rows of a query, as `read`."""
        found: list[Row] = self.read(query, values).to_pylist()
        return found

    def make_once(self, name: str, query: str) -> None:
        """Keep what a query finds as a table, when it is asked for the first time.

        Args:
            name: of the table.
            query: of our own words; the rows lie in the order that it says.
        """
        with self._making:
            if name not in self._made:
                self.read(f"CREATE TABLE {name} AS {query}")
                self._made.add(name)

    def keep(self, name: str, rows: pa.Table) -> None:
        """Keep rows as a table of their own, of a name of our own words."""
        cursor = self._connection.cursor()
        try:
            cursor.register("kept", rows)
            cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM kept")  # noqa: S608  # our own words
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

    def ids_at(self, places: Sequence[int]) -> list[str]:
        """Return the ids of the items at some places of the table, in their order."""
        numbers = ", ".join(str(int(each)) for each in places) or "NULL"
        query = f"SELECT rowid AS place, item_id FROM labels WHERE rowid IN ({numbers})"  # noqa: S608  # numbers alone
        found = {row["place"]: row["item_id"] for row in self.rows(query)}
        return [found[each] for each in places]

    def image_of(self, item_id: str) -> tuple[str, str | None] | None:
        """Return uri and etag of an item's image, or None; pages ask for sixty at a time."""
        cursor = self._connection.cursor()
        try:
            # a fourth of what `item` costs: that is mostly the planning of its joins
            query = "SELECT uri, etag FROM labels WHERE item_id = $id"
            found: tuple[str, str | None] | None = cursor.execute(query, {"id": item_id}).fetchone()
        finally:
            cursor.close()
        return found

    def counts_by_category(self) -> Counts:
        """Count the items by category and what became of them; anew after each answer alone."""
        told, (then, found) = self._told, self._counted
        if told != then:
            found = {(r["category_id"], r["decision"]): r["items"] for r in self.rows(_COUNTS)}
            self._counted = (told, found)
        return found

    def counts(self) -> dict[str, int]:
        """Count the items by what became of them, all of `Decision`."""
        found = Counter[str]()
        for (_, decision), items in self.counts_by_category().items():
            found[decision] += items
        return {name: found[name] for name in Decision}

    def history_of(self, item_ids: Sequence[str]) -> dict[str, list[Row]]:
        """Return all that people have said of some items, of whichever image, the newest first."""
        query = """SELECT * FROM history WHERE list_contains($ids, item_id)
            ORDER BY "at" DESC, annotation_id"""
        found: dict[str, list[Row]] = {each: [] for each in item_ids}
        for row in self.rows(query, {"ids": list(item_ids)}):
            found[row["item_id"]].append(row)
        return found

    def take_in(self, answers: pa.Table, history: pa.Table | None = None) -> None:
        """Show newer annotations in the place of those before them; older ones change nothing.

        Args:
            answers: the newest annotation of each image, of `ANNOTATIONS_SCHEMA`.
            history: all annotations that may be new here, of `ANNOTATIONS_SCHEMA`; None where
                those are all.
        """
        with self._changing:
            cursor = self._connection.cursor()
            try:
                cursor.register("told", answers.select(ANNOTATIONS_SCHEMA.names))
                every = answers if history is None else history
                cursor.register("all_told", every.select(ANNOTATIONS_SCHEMA.names))
                cursor.execute("BEGIN")
                for step in _TAKE_IN:
                    cursor.execute(step)
                cursor.execute("COMMIT")
                self._told += 1
            finally:
                cursor.close()

    def close(self) -> None:
        """Close and remove the database."""
        self._connection.close()
        self._path.unlink(missing_ok=True)


def _settings() -> dict[str, str | int | float | list[str]]:
    return {**SETTINGS, "memory_limit": f"{MEMORY_MB}MB", "threads": 2}
