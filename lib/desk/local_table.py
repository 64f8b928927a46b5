"""A version of the labels table as a local database, which pages are read from in milliseconds."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from lib.desk.local_tables import KEPT, LABELLED, settings
from lib.labels.decisions import Decision
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.sql import read_rows

Row = dict[str, Any]
Image = tuple[str, str | None]  # its uri and etag
Counts = Mapping[tuple[str | None, str], int]  # by category and decision
Totals = Mapping[str | None, int]  # by category, with those below it
FEW = 1_000  # items that are found one by one
MOST_IMAGES = 50_000  # that are remembered

# what was read before somebody's answer may arrive after it, so that each row is compared
_TAKE_IN = """
    INSERT OR REPLACE INTO answers BY NAME SELECT t.* FROM ({kept}) t
        LEFT JOIN answers a ON a.item_id = t.item_id AND a.image = t.image
        WHERE a.item_id IS NULL OR t."at" > a."at"
            OR t."at" = a."at" AND t.annotation_id > a.annotation_id"""
_COUNTS = """
    SELECT category_id, decision, sum(items)::BIGINT AS items FROM counted GROUP BY ALL"""
_MOVED = """
    SELECT model_category_id, model_decision, category_id, decision, count(*) AS items
    FROM answered GROUP BY ALL"""


class LocalTable:
    """One version of the table, open for questions from many threads."""

    def __init__(self, path: Path, version: int) -> None:
        """Open what `write_local` has written."""
        self.version, self._path = version, path
        # many ask at once: what one query gains by a second thread, the others lose
        self._connection = duckdb.connect(str(path), config=settings(threads=1))
        self._changing, self._making = threading.Lock(), threading.Lock()
        self._made: set[str] = set()
        self._told = 0  # how often answers were taken in
        self._counted: tuple[int, Counts] = (-1, {})
        self._found: dict[str, list[Row]] = {}
        self._images: dict[str, Image] = {}
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

    def rows_once(self, query: str) -> list[Row]:
        """Return the rows of a query, found when it is first asked: of what no answer changes."""
        if query not in self._found:
            self._found[query] = self.rows(query)
        return self._found[query]

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
        self._remember({each: (row["uri"], row["etag"]) for each, row in found.items()})
        return [found[each] for each in item_ids if each in found]

    def item(self, item_id: str) -> Row | None:
        """Return what is shown of an item, or None."""
        found = self.rows("SELECT * FROM shown WHERE item_id = $id", {"id": item_id})
        return found[0] if found else None

    def image_of(self, item_id: str) -> Image | None:
        """Return uri and etag of an item's image, or None."""
        if found := self._images.get(item_id):
            return found
        query = "SELECT uri, etag FROM labels WHERE item_id = $id"
        found = next(((r["uri"], r["etag"]) for r in self.rows(query, {"id": item_id})), None)
        if found:
            self._remember({item_id: found})
        return found

    def shown_image(self, item_id: str) -> Image | None:
        """Return the same of an item that a page has shown lately, without asking the database."""
        return self._images.get(item_id)

    def _remember(self, images: Mapping[str, Image]) -> None:
        if len(self._images) > MOST_IMAGES:
            self._images = {}
        self._images.update(images)

    def counts_by_category(self) -> Counts:
        """Count the items by category and what became of them; anew after each answer alone."""
        told, (then, found) = self._told, self._counted
        if told != then:
            counted = self.rows_once(_COUNTS)
            found = Counter({(r["category_id"], r["decision"]): r["items"] for r in counted})
            for row in self.rows(_MOVED):
                found[row["model_category_id"], row["model_decision"]] -= row["items"]
                found[row["category_id"], row["decision"]] += row["items"]
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
        labelled, placed = f"({LABELLED})", None
        if 0 < answers.num_rows <= FEW:  # each by the index, and joined with its answer then
            ids = {f"id_{n}": each for n, each in enumerate(answers["item_id"].to_pylist())}
            among = f"item_id IN (${', $'.join(ids)})"
            labelled, placed = "placed", self.read(f"{LABELLED} WHERE {among}", ids)
        with self._changing:
            cursor = self._connection.cursor()
            try:
                cursor.register("told", answers.select(ANNOTATIONS_SCHEMA.names))
                every = answers if history is None else history
                cursor.register("all_told", every.select(ANNOTATIONS_SCHEMA.names))
                if placed is not None:
                    cursor.register("placed", placed)
                cursor.execute("BEGIN")
                cursor.execute(_TAKE_IN.format(kept=KEPT.format(labelled=labelled)))
                cursor.execute("INSERT OR IGNORE INTO history SELECT * FROM all_told")
                cursor.execute("COMMIT")
                self._told += 1
            finally:
                cursor.close()

    def close(self) -> None:
        """Close and remove the database."""
        self._connection.close()
        self._path.unlink(missing_ok=True)
