"""Bands: pairs that are the same, pairs for a person, and pairs that are not, by two limits."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lib.evaluation.promise_test import Rule, interval, labels_needed, least_confidence, rank
from lib.labels.decisions import NEVER
from lib.labels.promises import Accept
from lib.matching.linear import Doubles
from lib.matching.name_table import Bools

# where no labelled pairs are given
SAME_FROM, REVIEW_FROM = 0.9, 0.5
LIKELY = 0.5


class Band(StrEnum):
    """What a pair is held to be."""

    SAME = "same"
    REVIEW = "review"
    DIFFERENT = "different"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From which score on pairs are the same, and from which on a person is to look.

    Attributes:
        same: `NEVER` where no score promises enough.
        review: 0 where nothing is surely different.
        sentence: what the limits rest on.
        promised: whether labelled pairs promise anything.
    """

    same: float = SAME_FROM
    review: float = REVIEW_FROM
    sentence: str = (
        f"same from a score of {SAME_FROM:.2f}, to review from {REVIEW_FROM:.2f}: the limits where "
        "no labelled pairs are given, which promise nothing"
    )
    promised: bool = False

    def bands(self, scores: Doubles, forbidden: Bools) -> list[Band]:
        """Return the band of each pair; what is forbidden to be the same is reviewed at most.

        Args:
            scores: float64 [n], final scores.
            forbidden: bool [n].
        """
        places = np.where(scores >= self.review, 1, 0) + np.where(
            (scores >= self.same) & (scores >= self.review) & ~forbidden, 1, 0
        )
        order = (Band.DIFFERENT, Band.REVIEW, Band.SAME)
        return [order[place] for place in places.tolist()]


def choose_limits(scores: Doubles, same: Bools, forbidden: Bools, accept: Accept) -> Limits:
    """Choose the limits that keep what is promised, of pairs the same and of pairs different.

    Args:
        scores: float64 [n], of labelled pairs, each by weights that have not seen it.
        same: bool [n], what the pairs are.
        forbidden: bool [n], whether a pair cannot be called the same.
        accept: what is promised of either band.
    """
    rule = Rule.of(accept, 2)
    called = ~forbidden
    claims = []
    for confidence, right in (
        (scores[called], same[called]),
        (1 - scores, ~same),
    ):
        items = rank(confidence, right)
        precision = items.right / items.count
        least = least_confidence(items, rule, precision)
        accepted = int((items.confidence >= least).sum())
        count = int(items.right[accepted - 1]) if accepted else 0
        low, high = interval(count, accepted, accept.confidence)
        shown = f"{count:,} of {accepted:,} labelled pairs ({low:.0%} to {high:.0%})"
        claims.append((least, shown, None if accepted else labels_needed(items, rule)))
    (sure, sure_shown, needed), (unlike, unlike_shown, _) = claims
    # easy pairs promise much of low scores; what is not likely the same is never called so
    sure = max(sure, LIKELY)
    review = 0.0 if unlike >= NEVER else min(float(np.nextafter(1 - unlike, 1)), sure)
    found = (
        f"same from a score of {sure:.2f}, right for {sure_shown}"
        if sure < NEVER
        else "no pair is called the same, since the labelled pairs promise it of none"
        + (f"; about {needed:,} more would do" if needed else "")
    )
    below = (
        f"different below {review:.2f}, right for {unlike_shown}"
        if review > 0
        else "no pair is called different, since the labelled pairs promise it of none"
    )
    return Limits(same=sure, review=review, sentence=f"{found}; {below}", promised=sure < NEVER)
