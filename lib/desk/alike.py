"""What looks like an item of the queue: what else waits for an answer, and what has a label."""

from dataclasses import dataclass

import numpy as np

from lib.desk.label_rows import Row
from lib.desk.local_table import LocalTable
from lib.desk.searching import Searched
from lib.errors import ReshelveError
from lib.search.catalog import Asked, NoEmbeddingError
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


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Items for review that look like another, the likest first, and those that do so clearly."""

    item_ids: list[str]
    clearly: set[str]


def waiting_like(searched: Searched, table: LocalTable, item_id: str) -> Alike:
    """Return the items for review that look most like an item.

    Clearly alike are those of the nearer of two groups, which are as far apart as can be.

    Raises:
        InputError: the item has no embedding.
        StoreError: the store does not answer.
    """
    found = _near(searched, table, item_id)
    least = _least_of_the_nearer([likeness for _, likeness in found])
    waiting = {row["item_id"]: each for row, each in found if row["decision"] in WAITING}
    return Alike(item_ids=[*waiting], clearly={each for each in waiting if waiting[each] >= least})


def labelled_like(
    searched: Searched, table: LocalTable, taxonomy: Taxonomy, item_id: str, most: int
) -> list[Neighbour]:
    """Return the labelled items that look most like an item; raises as `waiting_like`."""
    known = taxonomy.by_id
    near = _near(searched, table, item_id)
    return [
        Neighbour(
            item_id=row["item_id"],
            title=row["name"] or row["item_id"],
            category=known[row["category_id"]].name,
            by=row["by"],
            likeness=likeness,
        )
        for row, likeness in near
        if row["decision"] in LABELLED and row["category_id"] in known
    ][:most]


def why_nothing(error: ReshelveError) -> str:
    """Return why nothing is compared with an item of the table, for who looks at it."""
    if isinstance(error, NoEmbeddingError):
        return "This item has no embedding, so nothing can be compared with it."
    return str(error)


def _least_of_the_nearer(falling: list[float]) -> float:
    """Return the least likeness of the nearer of two groups, after Otsu's threshold."""
    scores = np.asarray(falling)
    if len(scores) < 2:
        return float(scores.min(initial=0.0))
    near = np.arange(1, len(scores))
    sums = np.cumsum(scores)
    apart = sums[:-1] / near - (sums[-1] - sums[:-1]) / (len(scores) - near)
    return float(scores[np.argmax(near * (len(scores) - near) * apart**2)])


def _near(searched: Searched, table: LocalTable, item_id: str) -> list[tuple[Row, float]]:
    hits = searched.catalog.like_item(item_id, Asked(top=CANDIDATES))
    likeness = {hit.item_id: hit.score for hit in hits}
    return [(row, likeness[row["item_id"]]) for row in table.items(list(likeness))]
