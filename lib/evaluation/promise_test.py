"""From which confidence on a promise of precision is kept: a test on held-out items.

Learn-then-Test (Angelopoulos, Bates, Candès, Jordan, Lei 2021, "Learn then Test: Calibrating
Predictive Algorithms to Achieve Risk Control", https://arxiv.org/abs/2110.01052) with fixed
sequences: thresholds are tested one after the other, from a sure one downwards, until one fails.
No test of the sequence costs another its confidence, since where to begin and how to go on follows
from the confidences alone. One test is the exact binomial one (Clopper and Pearson 1934).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.labels.decisions import NEVER
from lib.labels.promises import Accept

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

# of a sequence from where the confidences promise most, and of one from the fewest items that can
# pass; the second finds something where the confidences are wrong
SHARES = (0.8, 0.2)
STEP = 0.02  # of the items, from one tested threshold to the next
SLACK = 0.05  # in balanced mode, what the tested precision is below the one that is reached
# of a confidence beside labels, where it is asked how many labels more would do
PRIOR_ITEMS = 5.0
MOST_NEEDED = 100_000


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a threshold must keep.

    Attributes:
        precision: the true precision that is tested for.
        risk: how likely a test may pass though the precision is lower.
        reached: what precision and mean confidence of the accepted must reach besides.
    """

    precision: float
    risk: float
    reached: float

    @classmethod
    def of(cls, accept: Accept, groups: int) -> "Rule":
        """Return the rule that each of some groups must keep, so that all do at once."""
        risk = 1 - accept.confidence
        if accept.mode == "strict":
            # all claims hold together (Bonferroni)
            return cls(precision=accept.precision, risk=risk / groups, reached=0.0)
        tested = max(accept.precision - SLACK, 0.0)
        return cls(precision=tested, risk=risk, reached=accept.precision)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Held-out items, the surest first, counted at each place.

    Attributes:
        confidence: float64 [n], falling.
        right: float64 [n], how many are right up to here.
        mean: float64 [n], mean confidence up to here.
        ends: bool [n], whether the next item is less sure; equals are accepted together.
    """

    confidence: Floats
    right: Floats
    mean: Floats
    ends: Bools

    @property
    def count(self) -> Floats:
        """Items up to each place."""
        return np.arange(1, len(self.confidence) + 1, dtype=np.float64)


def rank(confidence: Floats, right: Bools) -> Ranked:
    """Sort items by falling confidence.

    Args:
        confidence: float64 [n].
        right: bool [n], whether the label is right.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    return Ranked(
        confidence=falling,
        right=right[order].cumsum().astype(np.float64),
        mean=falling.cumsum() / np.arange(1, len(order) + 1),
        ends=np.append(falling[1:] != falling[:-1], np.ones(min(len(order), 1), np.bool_)),
    )


def least_confidence(items: Ranked, rule: Rule, observed: Floats) -> float:
    """Find the least confidence from which on the rule is kept, or `NEVER`.

    Args:
        items: held-out items.
        rule: what must be kept.
        observed: float64 [n], the precision up to each place, that must reach `rule.reached`.
    """
    from scipy.special import bdtr  # noqa: PLC0415  # only where a threshold is chosen

    last = -1
    for start, risk in _starts(items, rule):
        step = max(round(STEP * len(items.confidence)), 1)
        places = np.flatnonzero(items.ends[start:]) + start
        places = np.union1d(places[::step], places[-1:])
        count = items.count[places]
        # how likely so few errors are where the precision is just too low
        chance = bdtr(count - items.right[places], count.astype(np.int64), 1 - rule.precision)
        passed = places[np.logical_and.accumulate(chance <= risk)]
        enough = np.minimum(observed, items.mean)[passed] >= rule.reached
        last = max([last, *passed[enough].tolist()])
    return float(items.confidence[last]) if last >= 0 else NEVER


def _starts(items: Ranked, rule: Rule) -> list[tuple[int, float]]:
    """Return the places where sequences begin, and the risk of each."""
    found = []
    for share, by_confidence in zip(SHARES, (True, False), strict=True):
        risk = share * rule.risk
        first = fewest_items(rule.precision, risk) - 1
        if first >= len(items.confidence):
            continue
        if by_confidence:
            surplus = (np.minimum(items.mean, 0.999) - rule.precision) * np.sqrt(items.count)
            first += int(surplus[first:].argmax())
        found.append((first, risk))
    return found


def fewest_items(precision: float, risk: float) -> int:
    """Return how many items, all right, show a precision: 45 for 0.95 at a risk of 0.1."""
    if precision >= 1:
        return MOST_NEEDED
    return max(math.ceil(math.log(risk) / math.log(max(precision, 1e-9))), 1)


def interval(right: int, count: int, confidence: float) -> tuple[float, float]:
    """Return the exact two-sided interval of a share (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv  # noqa: PLC0415  # only where a threshold is chosen

    tail = (1 - confidence) / 2
    low = float(betaincinv(right, count - right + 1, tail)) if right else 0.0
    high = float(betaincinv(right + 1, count - right, 1 - tail)) if right < count else 1.0
    return low, high


def labels_needed(items: Ranked, rule: Rule) -> int | None:
    """Estimate how many items more would keep the rule, where these do not.

    At each place: were the precision and the share of the accepted what they are here, so many
    accepted items, and so many items in all, would pass.

    Returns:
        The fewest, to two digits; None where no number would do.
    """
    if not len(items.confidence):
        return None
    count = items.count
    precision = (items.right + PRIOR_ITEMS * items.mean) / (count + PRIOR_ITEMS)
    places = np.flatnonzero(
        items.ends & (precision >= rule.reached) & (count >= min(10, count[-1]))
    )
    # the surest few say little, and each of many thousand places would say the same
    places = places[:: max(len(places) // 50, 1)]
    needed = [
        accepted * count[-1] / count[place] - count[-1]
        for place in places
        if (accepted := _accepted_needed(float(precision[place]), rule)) is not None
    ]
    if not needed:
        return None
    fewest = max(min(needed), 1.0)
    digits = 10.0 ** max(math.floor(math.log10(fewest)) - 1, 0)
    return int(math.ceil(fewest / digits) * digits)


def _accepted_needed(precision: float, rule: Rule) -> int | None:
    """Return the fewest accepted items that pass with the errors that a precision lets expect."""
    from scipy.special import bdtr  # noqa: PLC0415  # only where a threshold is chosen

    if precision <= rule.precision:
        return None
    risk = SHARES[0] * rule.risk
    counts = np.unique(np.geomspace(fewest_items(rule.precision, risk), MOST_NEEDED, 400).round())
    errors = (counts * (1 - precision)).round()
    passed = np.flatnonzero(bdtr(errors, counts.astype(np.int64), 1 - rule.precision) <= risk)
    return int(counts[passed[0]]) if len(passed) else None
