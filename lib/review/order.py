"""The order in which items are shown to a person, so that each answer helps most."""

from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa

from lib.sql import open_duckdb, read_rows

Ints = np.ndarray[Any, np.dtype[np.int64]]

# how much less an item helps for each that is asked before it of the same category and cluster:
# the 16th counts half as much as the first
CROWDING = 0.25
MARGIN = "coalesce(top_k[1].probability - coalesce(top_k[2].probability, 0), 0)"
TURN = "row_number() OVER (PARTITION BY category_id, cluster ORDER BY margin, item_id)"


class Order(StrEnum):
    """What comes first; the value stands in the desk's settings."""

    HELPFUL = "helpful"  # the unsure, spread over categories and clusters
    UNSURE = "unsure"  # where the best two categories are closest
    SURE = "sure"  # where they are furthest apart: what is most quickly agreed to
    RANDOM = "random"  # by chance, the same at each time


RANKS = {
    Order.HELPFUL: f"(1 - margin) / power(turn, {CROWDING}) DESC",
    Order.UNSURE: "margin",
    Order.SURE: "margin DESC",
    Order.RANDOM: "md5(concat($seed, item_id))",
}


def ranked(asked: str, by: Order) -> str:
    """Return a query that gives each row of another its `rank`: 0 for what is asked first.

    Args:
        asked: a query of our own words, with the columns item_id, category_id, cluster, margin and
            any others.
        by: what comes first; `$seed` is a value of the query where it is `RANDOM`.
    """
    return f"""
        SELECT *, row_number() OVER (ORDER BY {RANKS[by]}, item_id) - 1 AS rank
        FROM (SELECT *, {TURN} AS turn FROM ({asked}))"""  # noqa: S608  # our own words


def order_rows(items: pa.Table, by: Order, seed: int = 0) -> Ints:
    """Return the rows of items in the order in which a person is asked about them.

    An item without probabilities is as unsure as can be. Among equals the item id decides, so the
    same items have the same order each time.

    Args:
        items: columns item_id, category_id and top_k, as the labels table has them, and maybe
            `cluster`: which group of like embeddings each belongs to, of any type.
        by: what comes first.
        seed: of the random order; another gives another.

    Returns:
        int64 [n], rows of `items`.
    """
    given = items.select(["item_id", "category_id", "top_k"])
    there = "cluster" in items.column_names
    cluster = items["cluster"] if there else pa.nulls(items.num_rows, pa.int64())
    given = given.append_column("cluster", cluster)
    given = given.append_column("row", pa.array(np.arange(items.num_rows)))
    asked = f"SELECT row, item_id, category_id, cluster, {MARGIN} AS margin FROM items"  # noqa: S608  # our own words
    query = f"SELECT row FROM ({ranked(asked, by)}) ORDER BY rank"  # noqa: S608  # as above
    with open_duckdb() as connection:
        connection.register("items", given)
        values: dict[str, object] = {"seed": f"{seed}:"} if by == Order.RANDOM else {}
        found: Ints = read_rows(connection, query, values).read_all()["row"].to_numpy()
    return found
