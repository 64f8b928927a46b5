"""A version of the labels table as a local database, which pages are read from in milliseconds."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import compute

from lib.desk.label_rows import LabelRows, Row
from lib.desk.local_tables import KEPT, LABELLED, settings
from lib.desk.places import Counts, Places
from lib.desk.said import AllSaid, Said, shown
from lib.desk.words import Words
from lib.labels.decisions import Decision
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.sql import read_rows

Image = tuple[str, str | None]  # its uri and etag
FEW = 1_000  # items that are found one by one

# what was read before somebody's answer may arrive after it, so that each row is compared
_TAKE_IN = """
    INSERT OR REPLACE INTO answers BY NAME SELECT t.* FROM ({kept}) t
        LEFT JOIN answers a ON a.item_id = t.item_id AND a.image = t.image
        WHERE a.item_id IS NULL OR t."at" > a."at"
            OR t."at" = a."at" AND t.annotation_id > a.annotation_id
        QUALIFY row_number() OVER (
            PARTITION BY t.item_id, t.image ORDER BY t."at" DESC, t.annotation_id DESC) = 1"""
_COLUMNS = (
    "item_id",
    "category_id",
    "decision",
    "confidence",
    "run_id",
    "error",
    "epoch_us(classified_at) AS classified_at",
)


class LocalTable:
    """One version of the table, open for questions from many threads.

    Attributes:
        version: of the table.
        places: what its items are shown as.
        grouped: whether it is known what looks alike.
    """

    def __init__(self, path: Path, version: int) -> None:
        """Open what `write_local` has written."""
        self.version, self._path = version, path
        # many ask at once: what one query gains by a second thread, the others lose
        self._connection = duckdb.connect(str(path), config=settings(threads=1))
        self._changing, self._writing, self._reading = (threading.Lock() for _ in range(3))
        self._found: dict[str, pa.Table] = {}
        self._labels, self._said = LabelRows(self._connection), AllSaid()
        self._untold: list[tuple[pa.Table, ...]] = []  # shown, and not in the database yet
        self._names: Words | None = None
        self.grouped = False
        found = self.read("SELECT category_id, category_path FROM categories").to_pydict()
        self._paths = dict(zip(*found.values(), strict=True))
        self.places = Places(self._in_order(*_COLUMNS))
        self._said.take(self._read("SELECT * FROM answers").to_pylist())
        self._show_again()
        self.item("")  # reads the index, for which the first page would wait

    def read(self, query: str, values: Mapping[str, object] | None = None) -> pa.Table:
        """Return what a query finds in `shown` and the tables that `write_local` makes."""
        self.catch_up()
        return self._read(query, values)

    def rows(self, query: str, values: Mapping[str, object] | None = None) -> list[Row]:
        """Return the rows of a query, as `read`."""
        found: list[Row] = self.read(query, values).to_pylist()
        return found

    def read_once(self, query: str) -> pa.Table:
        """Return what a query finds when it is first asked: of what no answer changes."""
        if query not in self._found:  # two at once find the same
            self._found[query] = self.read(query).combine_chunks()
        return self._found[query]

    def rows_once(self, query: str) -> list[Row]:
        """Return the rows of a query, as `read_once`."""
        found: list[Row] = self.read_once(query).to_pylist()
        return found

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
        labels = self._labels.of(item_ids)
        return [self._shown(labels[each]) for each in item_ids if each in labels]

    def item(self, item_id: str) -> Row | None:
        """Return what is shown of an item, or None."""
        found = self.items([item_id])
        return found[0] if found else None

    def place_of(self, item_id: str) -> int | None:
        """Return where an item stands in `places`, or None."""
        found = self._labels.of([item_id]).get(item_id)
        return None if found is None else int(found["place"])

    def image_of(self, item_id: str) -> Image | None:
        """Return uri and etag of an item's image, or None."""
        found = self._labels.of([item_id]).get(item_id)
        return (found["uri"], found["etag"]) if found else None

    def shown_image(self, item_id: str) -> Image | None:
        """Return the same of an item that a page has shown lately, without asking the database."""
        found = self._labels.at_hand(item_id)
        return (found["uri"], found["etag"]) if found else None

    def names(self) -> Words:
        """Return the items' names; who asks first waits until they are read."""
        with self._reading:
            if self._names is None:
                self._names = Words(self._in_order("name")["name"])
            return self._names

    def counts_by_category(self) -> Counts:
        """Return how many items there are by category and what became of them."""
        return self.places.counts

    def counts(self) -> dict[str, int]:
        """Count the items by what became of them, all of `Decision`."""
        found = dict.fromkeys(map(str, Decision), 0)
        for (_, decision), items in self.places.counts.items():
            found[decision] += items
        return found

    def history_of(self, item_ids: Sequence[str]) -> dict[str, list[Row]]:
        """Return all that people have said of some items, of whichever image, the newest first."""
        told = list(self._untold)  # before it is read: what is written meanwhile is in both
        query = "SELECT * FROM history WHERE list_contains($ids, item_id)"
        rows = self._read(query, {"ids": list(item_ids)}).to_pylist()
        for _, history in told:
            of_them = compute.is_in(history["item_id"], pa.array(item_ids, pa.string()))
            rows += history.filter(of_them).to_pylist()
        found: dict[str, list[Row]] = {each: [] for each in item_ids}
        once = {row["annotation_id"]: row for row in rows}.values()
        for row in sorted(once, key=lambda row: (-row["at"].timestamp(), row["annotation_id"])):
            found[row["item_id"]].append(row | {"at": row["at"].astimezone()})
        return found

    def answers_of_today(self) -> list[Said]:
        """Return the newest answers of images that were given on this day."""
        return self._said.of_today()

    def answered(self, item_id: str) -> bool:
        """Say whether an answer about an item stands, of whichever image."""
        return self._said.stands(item_id)

    def take_in(self, answers: pa.Table, history: pa.Table | None = None) -> None:
        """Show newer annotations in the place of those before them; older ones change nothing.

        Items, sheets and counts show them at once; the database has them before it is asked next.

        Args:
            answers: the newest annotation of each image, of `ANNOTATIONS_SCHEMA`.
            history: all annotations that may be new here, of `ANNOTATIONS_SCHEMA`; None where
                those are all.
        """
        with self._changing:
            every = answers if history is None else history
            told = tuple(each.select(ANNOTATIONS_SCHEMA.names) for each in (answers, every))
            self._untold.append(told)
            ids = enumerate(answers["annotation_id"].to_pylist())
            fresh = [place for place, each in ids if not self._said.knows(each)]
            rows = answers.take(pa.array(fresh, pa.int64()))
            self._said.take(rows.to_pylist())
            if len(fresh) > FEW:
                self._show_again()
            else:
                found = self.items(rows["item_id"].to_pylist())
                self.places.show((r["place"], r["category_id"], r["decision"]) for r in found)

    def catch_up(self) -> None:
        """Write to the database what was taken in since."""
        if not self._untold:
            return
        with self._writing:
            if told := list(self._untold):
                self._write(*map(pa.concat_tables, zip(*told, strict=True)))
            del self._untold[: len(told)]

    def close(self) -> None:
        """Close and remove the database."""
        self._connection.close()
        self._path.unlink(missing_ok=True)

    def _read(self, query: str, values: Mapping[str, object] | None = None) -> pa.Table:
        cursor = self._connection.cursor()
        try:
            return read_rows(cursor, query, dict(values or {})).read_all()
        finally:
            cursor.close()

    def _in_order(self, *columns: str) -> pa.Table:
        """Read columns of all labels, in the order of their places."""
        query = f"SELECT rowid AS place, {', '.join(columns)} FROM labels"  # noqa: S608  # our own words
        rows = self._read(query)
        in_order = np.array_equal(rows["place"], np.arange(rows.num_rows))
        return rows if in_order else rows.sort_by("place")

    def _shown(self, label: Row) -> Row:
        return shown(label, self._said.of(label), self._paths)

    def _show_again(self) -> None:
        """Have sheets show all that the database has: many answers at once."""
        query = """SELECT place, category_id, decision FROM shown
            WHERE place IN (SELECT place FROM answers)"""
        self.places.show(zip(*self.read(query).to_pydict().values(), strict=True))

    def _write(self, answers: pa.Table, history: pa.Table) -> None:
        labelled, placed = f"({LABELLED})", None
        if 0 < answers.num_rows <= FEW:  # each by the index, and joined with its answer then
            ids = {f"id_{n}": each for n, each in enumerate(answers["item_id"].to_pylist())}
            among = f"item_id IN (${', $'.join(ids)})"
            labelled, placed = "placed", self._read(f"{LABELLED} WHERE {among}", ids)
        cursor = self._connection.cursor()
        try:
            cursor.register("told", answers)
            cursor.register("all_told", history)
            if placed is not None:
                cursor.register("placed", placed)
            cursor.execute("BEGIN")
            cursor.execute(_TAKE_IN.format(kept=KEPT.format(labelled=labelled)))
            cursor.execute("INSERT OR IGNORE INTO history SELECT * FROM all_told")
            cursor.execute("COMMIT")
        finally:
            cursor.close()
