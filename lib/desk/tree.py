"""The categories as a tree that opens along one path, each with its counts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.desk.places import Counts, Totals
from lib.taxonomy.taxonomy import Taxonomy


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A category of the tree.

    Attributes:
        category_id: its id; None for what has no category.
        depth: 0 at the top.
        items: of it and of all below it, by decision.
        nights: how many these were in each of the last nights, the oldest first.
        leaf: whether nothing stands below it.
        opened: whether what stands below it is shown.
    """

    category_id: str | None
    name: str
    depth: int
    items: Mapping[str, int]
    nights: Sequence[int] = ()
    leaf: bool = True
    opened: bool = False

    @property
    def total(self) -> int:
        """Items in all."""
        return sum(self.items.values())


def sums(taxonomy: Taxonomy, counts: Counts) -> dict[str | None, Counter[str]]:
    """Add the counts of categories to those above them; of None, what has none we know."""
    found: defaultdict[str | None, Counter[str]] = defaultdict(Counter, {None: Counter()})
    for (category_id, decision), items in counts.items():
        known = category_id if category_id in taxonomy.by_id else None
        for each in (known, *(taxonomy.ancestors(known) if known else ())):
            found[each][decision] += items
    return dict(found)


def totals(taxonomy: Taxonomy, counts: Counts) -> Totals:
    """Return how many items each category has with those below it; of None, how many there are."""
    found = {each: of.total() for each, of in sums(taxonomy, counts).items()}
    return found | {None: sum(counts.values())}


def by_decision(counts: Counts) -> Counter[str]:
    """Add up what became of all items, of whichever category."""
    found = Counter[str]()
    for (_, decision), items in counts.items():
        found[decision] += items
    return found


def branches(
    taxonomy: Taxonomy,
    counts: Counts,
    nights: Sequence[Totals] = (),
    chosen: str = "",
) -> list[Branch]:
    """Return the branches that are shown: the top, and what stands below the chosen path.

    Args:
        taxonomy: of the table.
        counts: of the table as it is shown.
        nights: totals of its last versions, the oldest first.
        chosen: id of the category that is open.
    """
    now = sums(taxonomy, counts)
    known = chosen in taxonomy.by_id
    path = {chosen, *taxonomy.ancestors(chosen)} if known else set[str]()
    inner = {category.parent for category in taxonomy.categories}
    none = Counter[str]()
    shown: dict[str | None, list[str]] = {}
    for category in taxonomy.categories:
        if category.parent is None or category.parent in path:
            shown.setdefault(category.parent, []).append(category.category_id)

    def lay_out(parent: str | None, depth: int) -> list[Branch]:
        found = []
        for category_id in shown.get(parent, []):
            branch = Branch(
                category_id=category_id,
                name=taxonomy.by_id[category_id].name,
                depth=depth,
                items=now.get(category_id, none),
                nights=[each.get(category_id, 0) for each in nights],
                leaf=category_id not in inner,
                opened=category_id in path,
            )
            found += [branch, *lay_out(category_id, depth + 1)]
        return found

    return lay_out(None, 0)
