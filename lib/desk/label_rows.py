"""Rows of a version's labels by their ids: those that pages have shown lately are at hand."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from lib.schemas import LABELS_SCHEMA

Row = dict[str, Any]
AT_ONCE = 1_000  # that are asked for in one query
MOST_ROWS = 20_000  # that are remembered, of 3 KB
_NAMES = [*LABELS_SCHEMA.names, "margin", "place"]
_ASKED = {
    "classified_at": "epoch_us(classified_at)",  # as a number, which needs no library for zones
    "place": "rowid",
}
_QUERY = f"SELECT {', '.join(_ASKED.get(each, each) for each in _NAMES)} FROM labels"  # noqa: S608  # our own words


class LabelRows:
    """The rows of `labels`, which never change."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep the database that has them."""
        self._connection = connection
        self._kept: dict[str, Row] = {}

    def at_hand(self, item_id: str) -> Row | None:
        """Return the row of an item that was asked for lately, without asking the database."""
        return self._kept.get(item_id)

    def of(self, item_ids: Iterable[str]) -> Mapping[str, Row]:
        """Return the rows of some items by their ids, as far as the table has them.

        They have `margin` and `place`, too: where they stand in the table.
        """
        kept, wanted = self._kept, list(dict.fromkeys(item_ids))
        found = {each: kept[each] for each in wanted if each in kept}
        lacking = [each for each in wanted if each not in found]
        for start in range(0, len(lacking), AT_ONCE):
            for row in self._read(lacking[start : start + AT_ONCE]):
                found[row["item_id"]] = row
        if len(kept) > MOST_ROWS:
            self._kept = kept = {}
        kept.update(found)
        return found

    def _read(self, item_ids: list[str]) -> list[Row]:
        marks = ", ".join("?" * len(item_ids))
        cursor = self._connection.cursor()
        try:
            found = cursor.execute(f"{_QUERY} WHERE item_id IN ({marks})", item_ids).fetchall()
        finally:
            cursor.close()
        rows = [dict(zip(_NAMES, values, strict=True)) for values in found]
        for row in rows:
            row["classified_at"] = _moment(row["classified_at"])
        return rows


def _moment(microseconds: int) -> datetime:
    whole, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest).astimezone()
