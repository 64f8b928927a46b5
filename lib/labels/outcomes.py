"""Outcomes: what an item is accepted as, if at all, and whether a small error can change that."""

from typing import Any

import numpy as np
import pyarrow.compute as pc

from lib.labels.decisions import Decider, Decision, Floats, Ints

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Odds = np.ndarray[Any, np.dtype[np.float64]]

REVIEW = ""  # in the place of a category: none is accepted
LEAST = 1e-7  # a probability, and its distance from 1: float32 says no more
# a threshold above it is as this one, so that what float32 rounds to 1 is surely above
SUREST = 1 - 1e-6


def outcomes(decider: Decider, probabilities: Floats) -> list[str]:
    """Return the category that each item is accepted as, a leaf or one above, or `REVIEW`.

    Args:
        decider: how.
        probabilities: float32 [n, leaves].
    """
    decided = decider.decide(probabilities)
    review = pc.equal(decided["decision"], Decision.REVIEW)
    found: list[str] = pc.if_else(review, REVIEW, decided["category_id"]).to_pylist()
    return found


def log_odds(probabilities: np.ndarray[Any, Any]) -> Odds:
    """Return the natural logarithm of p / (1 - p), of any shape."""
    inside = np.clip(probabilities.astype(np.float64), LEAST, 1 - LEAST)
    found: Odds = np.log(inside) - np.log1p(-inside)
    return found


def can_change(decider: Decider, probabilities: Floats, moved: float) -> Bools:
    """Say of each item whether its outcome can be another one in a finer precision.

    Where no two logits drift apart by more than `moved`, the log odds of a leaf, of the leaves
    below a category together, and of one leaf against another move by no more either. So whatever
    leaf may be the best is followed upwards, past each category that may or may not be sure
    enough; where all ways end in one outcome, nothing can change it. An item that goes to review
    either way has the same outcome, whichever leaf is best.

    Args:
        decider: decides on the items.
        probabilities: float32 [n, leaves].
        moved: natural logarithm of odds, above 0.

    Returns:
        bool [n].
    """
    least = np.where(decider.least > 1, np.inf, log_odds(np.minimum(decider.least, SUREST)))
    best = probabilities.max(axis=1, keepdims=True)
    rows, leaves = np.nonzero(probabilities >= best * np.float32(np.exp(-moved)))
    # the first and the last outcome that an item may have, as places in `least`; -1 is review
    first, last = np.full(len(best), len(least)), np.full(len(best), -2)

    def may_be(items: Ints, category: Ints | int) -> None:
        np.minimum.at(first, items, category)
        np.maximum.at(last, items, category)

    for level in (np.arange(probabilities.shape[1]), *decider.levels):
        above = level[leaves]
        there = above >= 0
        ahead = np.full(len(rows), -np.inf)
        ahead[there] = log_odds(_together(decider, probabilities, rows[there], above[there]))
        ahead[there] -= least[above[there]]
        may_be(rows[ahead >= -moved], above[ahead >= -moved])
        rows, leaves = rows[ahead < moved], leaves[ahead < moved]
    may_be(rows, -1)
    found: Bools = first != last
    return found


def _together(decider: Decider, probabilities: Floats, rows: Ints, categories: Ints) -> Floats:
    """Return the probability of one category of each row, the sum of its leaves; float32 [k]."""
    leaf = categories < probabilities.shape[1]
    found = np.empty(len(rows), np.float32)
    found[leaf] = probabilities[rows[leaf], categories[leaf]]
    for category in np.unique(categories[~leaf]):
        mine = np.flatnonzero(categories == category)
        columns = np.flatnonzero(decider.below(int(category)))
        found[mine] = probabilities[np.ix_(rows[mine], columns)].sum(axis=1)
    return found
