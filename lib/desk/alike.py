"""What looks like an item of the queue: what else waits for an answer, and what has a label."""

from dataclasses import dataclass

from lib.desk.local_table import LocalTable, Row
from lib.desk.searching import Searched
from lib.search.catalog import Asked
from lib.taxonomy.taxonomy import Taxonomy

CANDIDATES = 300  # nearest items that are looked through
WAITING = ("review", "error")
LABELLED = ("accept", "person")


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """An item with a label that looks like another."""

    item_id: str
    title: str
    category: str
    by: str | None
    likeness: float


def waiting_like(searched: Searched, table: LocalTable, item_id: str) -> list[str]:
    """Return the items for review that look most like an item, the likest first.

    Raises:
        InputError: the item has no embedding.
        StoreError: the store does not answer.
    """
    return [row["item_id"] for row, _ in _near(searched, table, item_id, WAITING)]


def labelled_like(
    searched: Searched, table: LocalTable, taxonomy: Taxonomy, item_id: str, most: int
) -> list[Neighbour]:
    """Return the labelled items that look most like an item; raises as `waiting_like`."""
    known = taxonomy.by_id
    near = _near(searched, table, item_id, LABELLED)
    return [
        Neighbour(
            item_id=row["item_id"],
            title=row["name"] or row["item_id"],
            category=known[row["category_id"]].name,
            by=row["by"],
            likeness=likeness,
        )
        for row, likeness in near
        if row["category_id"] in known
    ][:most]


def _near(
    searched: Searched, table: LocalTable, item_id: str, decisions: tuple[str, ...]
) -> list[tuple[Row, float]]:
    hits = searched.catalog.like_item(item_id, Asked(top=CANDIDATES))
    scores = {hit.item_id: hit.score for hit in hits}
    rows = table.items(list(scores))
    return [(row, scores[row["item_id"]]) for row in rows if row["decision"] in decisions]
