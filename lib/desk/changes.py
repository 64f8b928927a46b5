"""What a new taxonomy does to the items of the table: each category, with counts and photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.desk.local_table import LocalTable
from lib.taxonomy.edited import Edited
from lib.taxonomy.migration import Migration

PHOTOS = 8  # of each category


@dataclass(frozen=True, kw_only=True)
class Becomes:
    """What becomes of the items of a category.

    Attributes:
        category_id: of it, in the old taxonomy.
        path: of it.
        items: that have it now.
        news: paths of what they may be; none is anything.
        by_rule: whether nobody has to look at them again.
        photos: ids of some of them.
    """

    category_id: str
    path: str
    items: int
    news: tuple[str, ...]
    by_rule: bool
    photos: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The same for a person."""
        if not self.news:
            return "is removed; its items may become anything, by what the model says"
        if len(self.news) > 1:
            return f"is split into {' or '.join(self.news)}; the model tells them apart"
        return f"becomes {self.news[0]}" + ("" if self.by_rule else ", unless the model says else")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a new taxonomy does to the table.

    Attributes:
        changed: the old categories that do not stay as they are.
        unchanged: how many do.
        new: paths of the new categories, with their examples.
        looked_at_again: items that the model decides anew.
    """

    changed: list[Becomes]
    unchanged: int
    new: list[tuple[str, tuple[str, ...]]]
    looked_at_again: int


def counts_of(table: LocalTable) -> dict[str, int]:
    """Count the items of each category, also of groups."""
    query = (
        "SELECT category_id, count(*) AS items FROM shown WHERE category_id IS NOT NULL GROUP BY 1"
    )
    return {row["category_id"]: row["items"] for row in table.rows(query)}


def counts_in(found: Edited, counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many items each category of an edited tree has, as far as that is certain.

    Args:
        found: the tree.
        counts: items by category of the taxonomy before.
    """
    every = dict.fromkeys(found.categories, 0)
    for old, items in counts.items():
        news = found.becomes.get(old, (old,))
        if len(news) == 1 and news[0] in every:
            for each in found.above(news[0]):
                every[each] += items
    return every


def changes_of(table: LocalTable, migration: Migration, found: Edited) -> Changes:
    """Find what a migration does to the table.

    Args:
        table: as it is.
        migration: to the new taxonomy.
        found: the tree with its edits, of which the new taxonomy was made.
    """
    counts, old, new = counts_of(table), migration.old, migration.new
    moved = [
        leaf
        for leaf, news in migration.destinies.items()
        if len(news) != 1 or news[0] != leaf or old.path(leaf) != new.path(leaf)
    ]
    photos = photos_of(table, moved)
    return Changes(
        changed=[
            Becomes(
                category_id=leaf,
                path=old.path(leaf),
                items=counts.get(leaf, 0),
                news=tuple(new.path(each) for each in migration.destinies[leaf]),
                by_rule=leaf in migration.by_rule,
                photos=photos.get(leaf, ()),
            )
            for leaf in moved
        ],
        unchanged=len(old.leaves) - len(moved),
        new=[(new.path(each), items[:PHOTOS]) for each, items in found.examples.items()],
        looked_at_again=sum(counts.get(leaf, 0) for leaf in migration.for_model),
    )


def photos_of(table: LocalTable, category_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return ids of some items of each category, the same ones each time."""
    query = """
        SELECT category_id, list(item_id ORDER BY place) AS items FROM (
            SELECT category_id, item_id,
                row_number() OVER (PARTITION BY category_id ORDER BY hash(item_id)) AS place
            FROM shown WHERE list_contains($ids, category_id) AND decision <> 'error'
        ) WHERE place <= $most GROUP BY 1"""
    rows = table.rows(query, {"ids": list(category_ids), "most": PHOTOS})
    return {row["category_id"]: tuple(row["items"]) for row in rows}
