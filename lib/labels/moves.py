"""What a run moves from one category to another."""

from typing import Any

import duckdb

from lib.sql import read_rows

MOVED_ITEMS, MOVED_PAIRS = 24, 12


def moved_items(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """After `measure_changes`: some of the items whose category changes, the surest first."""
    query = """SELECT item_id, uri, was_path, category_path, confidence FROM run
               WHERE was <> category_id ORDER BY confidence DESC, item_id LIMIT $items"""
    return _rows(connection, query, {"items": MOVED_ITEMS})


def moved_pairs(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """After `measure_changes`: from where to where more than one item moves, most first."""
    query = """SELECT was_path, category_path, count(*) AS items FROM run
               WHERE was <> category_id GROUP BY ALL HAVING items > 1
               ORDER BY items DESC, was_path, category_path LIMIT $pairs"""
    return _rows(connection, query, {"pairs": MOVED_PAIRS})


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, object]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_rows(connection, query, values).read_all().to_pylist()
    return found
