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
UNLIKELY = 0.05  # where the labelled pairs say nothing of it


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
        review: the least score that a person is to look at.
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
    """Choose the limits that keep what is promised.

    Of the pairs that are called the same, the promised share is; of the pairs that are the same,
    the promised share is not called different. Of most pairs nobody doubts that they are different,
    so the share of right ones among those called different would say nothing.

    Args:
        scores: float64 [n], of labelled pairs, each by weights that have not seen it.
        same: bool [n], what the pairs are.
        forbidden: bool [n], whether a pair cannot be called the same.
        accept: what is promised.
    """
    rule = Rule.of(accept, 2)
    items = rank(scores[~forbidden], same[~forbidden])
    sure = least_confidence(items, rule, items.right / items.count)
    # easy pairs promise much of low scores; what is not likely the same is never called so
    sure = max(sure, LIKELY)
    review = _least_kept(scores[same], 1 - accept.precision, rule.risk)
    if review is None:
        review, promised = UNLIKELY, "which too few pairs are the same to promise anything of"
    else:
        kept = int((scores[same] >= review).sum())
        promised = (
            f"as are {_shown(int(same.sum()) - kept, int(same.sum()), accept)} that are the same"
        )
    review = min(review, sure)
    called = (scores >= sure) & ~forbidden
    if sure < NEVER:
        right = _shown(int((called & same).sum()), int(called.sum()), accept)
        found = f"same from a score of {sure:.2f}, right for {right}"
    else:
        found = "no pair is called the same, since the labelled pairs promise it of none"
        if needed := labels_needed(items, rule):
            found += f"; about {needed:,} more would do"
    sentence = f"{found}; different below {review:.2f}, {promised}"
    return Limits(same=sure, review=review, sentence=sentence, promised=sure < NEVER)


def _least_kept(scores: Doubles, lost: float, risk: float) -> float | None:
    """Find the highest score below which no more than a share of pairs that are the same lie."""
    from scipy.special import bdtr  # noqa: PLC0415  # only where a limit is chosen

    places = np.arange(len(scores))
    # how likely so few lie below a score where the share is just too large
    passed = np.flatnonzero(bdtr(places, len(scores), lost) <= risk)
    return float(np.sort(scores)[passed[-1]]) if len(passed) else None


def _shown(part: int, whole: int, accept: Accept) -> str:
    low, high = interval(part, whole, accept.confidence)
    return f"{part:,} of {whole:,} labelled pairs ({low:.0%} to {high:.0%})"
