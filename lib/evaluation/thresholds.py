"""Thresholds that keep a promise: of the leaves, and of the categories above them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lib.evaluation.promise_test import (
    Bools,
    Floats,
    Ranked,
    Rule,
    interval,
    labels_needed,
    least_confidence,
    rank,
)
from lib.labels.decisions import NEVER, Decision
from lib.labels.promises import Accept, Claim
from lib.taxonomy.taxonomy import Taxonomy

Ints = np.ndarray[Any, np.dtype[np.int64]]

ENOUGH = 400  # held-out items for a threshold of a category's own
WEIGHT = 20.0  # in items, of the precision among all beside a category's own


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The least confidence of each category, leaf or above, and what the choice rests on."""

    by_category: dict[str, float]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class _Falling:
    """Items that fall to one level: what decides on each, how sure it is, and whether rightly.

    Attributes:
        category: int64 [n], the place of the category among the taxonomy's; -1 for none.
        confidence: float64 [n], the sum of its leaves.
        right: bool [n].
    """

    category: Ints
    confidence: Floats
    right: Bools


def choose_thresholds(
    probabilities: Floats, targets: Ints, taxonomy: Taxonomy, accept: Accept
) -> Thresholds:
    """Choose the least confidence of each category, so that what is accepted keeps its promise.

    Categories of fewer than `ENOUGH` items share a threshold with those beside them, below the same
    parent where they are enough together, else with all such. A category above the leaves is tested
    on the items that fall to it: those that are not accepted below it.

    Args:
        probabilities: float64 [n, leaves], calibrated on other items, or on other folds.
        targets: int64 [n], true columns.
        taxonomy: whose leaves the columns are.
        accept: what is promised.
    """
    names = list(taxonomy.by_id)
    thresholds: dict[str, float] = {}
    claims: list[Claim] = []
    best = probabilities.argmax(axis=1).astype(np.int64)
    undecided = np.ones(len(targets), np.bool_)
    for height, above in enumerate(_levels(taxonomy, names)):
        category = above[best]
        below = above[np.newaxis, :] == category[:, np.newaxis]
        falling = _Falling(
            category=np.where(undecided, category, -1),
            confidence=np.minimum(np.where(below, probabilities, 0.0).sum(axis=1), 1.0),
            right=above[targets] == category,
        )
        # which items fall to a parent depends on thresholds that labels chose; that errs on the
        # safe side: those just below a threshold are there since some of them were wrong
        found = _choose(falling, taxonomy, names, set(above[above >= 0].tolist()), accept)
        decision = Decision.PARENT if height else Decision.ACCEPT
        claims += [replace(claim, decision=decision) for claim in found]
        thresholds |= {name: claim.threshold for claim in found for name in claim.category_ids}
        least = np.array([thresholds.get(name, NEVER) for name in names])
        undecided &= (falling.category < 0) | (falling.confidence < least[category])
    claims = [
        replace(claim, group="all categories")
        if set(claim.category_ids) == set(taxonomy.leaves)
        else claim
        for claim in claims
    ]
    return Thresholds(by_category=thresholds, claims=tuple(claims))


def _levels(taxonomy: Taxonomy, names: Sequence[str]) -> list[Ints]:
    """Return for each height the place of the category above each leaf, or -1; first the leaves.

    What stands below a category has a lesser height, so that it is decided before.
    """
    height = dict.fromkeys(names, 0)
    for category in reversed(taxonomy.categories):
        if category.parent is not None:
            height[category.parent] = max(height[category.parent], height[category.category_id] + 1)
    place = {name: index for index, name in enumerate(names)}
    levels = np.full((max(height.values()) + 1, len(taxonomy.leaves)), -1, np.int64)
    for column, leaf in enumerate(taxonomy.leaves):
        for name in (leaf, *taxonomy.ancestors(leaf)):
            levels[height[name], column] = place[name]
    return list(levels)


def _choose(
    falling: _Falling, taxonomy: Taxonomy, names: Sequence[str], level: set[int], accept: Accept
) -> list[Claim]:
    """Choose the thresholds of one level, and say what each rests on."""
    counts = {names[each]: int((falling.category == each).sum()) for each in sorted(level)}
    groups = _groups(counts, taxonomy)
    rule = Rule.of(accept, len(groups))
    place = {name: index for index, name in enumerate(names)}

    def ranked(members: Sequence[str]) -> Ranked:
        mine = np.isin(falling.category, [place[name] for name in members])
        return rank(falling.confidence[mine], falling.right[mine])

    claims = []
    for group in groups:
        items = ranked(group)
        beside = [c for c in counts if _parent(taxonomy, c) == _parent(taxonomy, group[0])]
        wider = [list(counts), beside] if len(groups) > 1 and len(group) == 1 else [list(counts)]
        observed = _observed(items, [ranked(members) for members in wider])
        threshold = least_confidence(items, rule, observed)
        accepted = int((items.confidence >= threshold).sum())
        right = int(items.right[accepted - 1]) if accepted else 0
        low, high = interval(right, accepted, accept.confidence)
        claim = Claim(
            group=in_words(group),
            category_ids=group,
            threshold=threshold,
            items=len(items.confidence),
            accepted=accepted,
            right=right,
            low=low,
            high=high,
            needed=None if accepted else labels_needed(items, rule),
        )
        claims.append(claim)
    return claims


def _parent(taxonomy: Taxonomy, category_id: str) -> str | None:
    return taxonomy.by_id[category_id].parent


def _groups(counts: Mapping[str, int], taxonomy: Taxonomy) -> list[tuple[str, ...]]:
    """Divide categories into groups that have enough items each, as low in the tree as they do."""
    waiting: dict[str | None, list[str]] = {}
    groups: list[list[str]] = []

    def size(members: Sequence[str]) -> int:
        return sum(counts[each] for each in members)

    for category in reversed(taxonomy.categories):
        mine = [category.category_id] if category.category_id in counts else []
        members = mine + waiting.pop(category.category_id, [])
        if members and size(members) >= ENOUGH:
            groups.append(members)
        else:
            waiting.setdefault(category.parent, []).extend(members)
    if rest := waiting.get(None, []):
        if groups and size(rest) < ENOUGH:
            rest += groups.pop(groups.index(min(groups, key=size)))
        groups.append(rest)
    order = {name: index for index, name in enumerate(taxonomy.by_id)}
    in_order = [tuple(sorted(members, key=order.__getitem__)) for members in groups]
    return sorted(in_order, key=lambda members: order[members[0]])


def _observed(items: Ranked, wider: Sequence[Ranked]) -> Floats:
    """Return the precision up to each item, drawn towards that of wider pools at its confidence."""
    precision = np.zeros(len(items.confidence))
    for index, pool in enumerate([*wider, items]):
        count = np.searchsorted(-pool.confidence, -items.confidence, side="right")
        right = np.append(0.0, pool.right)[count]
        weight = WEIGHT if index else 0.0
        precision = (right + weight * precision) / (count + weight)
    return precision


def in_words(names: Sequence[str]) -> str:
    """List names: 'a', 'a and b', 'a, b and 3 more'."""
    if len(names) > 4:
        return f"{names[0]}, {names[1]} and {len(names) - 2} more"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
