"""Thresholds carried from one taxonomy to the next: what was tested of a category stays with it."""

from collections.abc import Mapping

from lib.labels.decisions import NEVER
from lib.taxonomy.migration import Migration
from lib.taxonomy.taxonomy import Taxonomy


def carry_thresholds(thresholds: Mapping[str, float], migration: Migration) -> dict[str, float]:
    """Return the least confidence of each new category.

    A leaf keeps its threshold under any name, and so do the parts of one that is split; of several
    that become one, the largest counts. A category above the leaves keeps that of an old one if
    both stand for the same items; any other accepts nothing, since no one has tested it.

    Args:
        thresholds: by old id; none of a bundle whose thresholds were not tested, and then none
            are carried.
        migration: from the old taxonomy to the new.
    """
    if not thresholds:
        return {}
    carried: dict[str, float] = {}
    for old, news in migration.destinies.items():
        for new in news:
            carried[new] = max(carried.get(new, 0.0), thresholds.get(old, NEVER))
    old_above = _above_leaves(migration.old)
    for new, leaves in _above_leaves(migration.new).items():
        sources = {o for o, news in migration.destinies.items() if leaves & set(news) or not news}
        reached = {each for o in sources for each in migration.destinies[o]} | leaves
        same = [o for o, below in old_above.items() if below == sources and reached == leaves]
        if same and leaves.isdisjoint(migration.added):
            carried[new] = max(thresholds.get(old, NEVER) for old in same)
    return {name: carried.get(name, NEVER) for name in migration.new.by_id}


def _above_leaves(taxonomy: Taxonomy) -> dict[str, frozenset[str]]:
    return {
        name: leaves
        for name, leaves in taxonomy.leaves_below.items()
        if name not in taxonomy.leaves
    }
