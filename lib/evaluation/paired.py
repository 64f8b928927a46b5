"""Two models on the same items: which one is better, if that can be told."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from lib.evaluation.intervals import bootstrap

SIGNIFICANT = 0.05

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Verdict(StrEnum):
    """What a comparison says of the first model."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "cannot be told apart"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same items.

    Attributes:
        items: how many both were asked about.
        only_first: items on which only the first is right.
        only_second: items on which only the second is right.
        difference: accuracy of the first less that of the second, -1 to 1.
        low: the lower end of its 95 % interval.
        high: the upper end.
        p_value: of the exact test of McNemar.
        one_sided: whether it was only asked if the first is better.
        verdict: of the first; `better` and `worse` only where test and interval agree; where it is
            one-sided, `better` where the test says so.
    """

    items: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p_value: float
    one_sided: bool = False
    verdict: Verdict

    def sentence(self, first: str, second: str) -> str:
        """Say the verdict, and what it rests on, of models by their names."""
        points, ends = 100 * abs(self.difference), [100 * self.low, 100 * self.high]
        chance = "one-sided " if self.one_sided else ""
        chance += "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        counts = (
            f"of {self.items:,} items, only {first} is right on {self.only_first:,}, only {second} "
            f"on {self.only_second:,}"
        )
        if self.verdict is Verdict.SAME:
            return (
                f"{first} and {second} cannot be told apart: {counts} (difference "
                f"{100 * self.difference:+.1f} points, 95 % interval {ends[0]:+.1f} to "
                f"{ends[1]:+.1f}; {chance})"
            )
        if self.verdict is Verdict.WORSE:
            ends = [-ends[1], -ends[0]]
        return (
            f"{first} is {self.verdict} than {second} by {points:.1f} points (95 % interval "
            f"{ends[0]:.1f} to {ends[1]:.1f}; {chance}): {counts}"
        )


def compare(correct_a: Bools, correct_b: Bools, *, one_sided: bool = False) -> Comparison:
    """Compare the accuracy of two models on the same items.

    Only the items on which just one is right tell them apart. The test is the exact one of
    McNemar (1947; Dietterich 1998, "Approximate Statistical Tests for Comparing Supervised
    Classification Learning Algorithms"), the interval a paired bootstrap's.

    Args:
        correct_a: bool [n], where the first model is right.
        correct_b: bool [n], where the second is right, on the same items in the same order.
        one_sided: ask only whether the first is better, where nothing follows if it is worse.

    Raises:
        ValueError: the two have not the same length.
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - half a second, and only a test needs it

    first, second = np.asarray(correct_a, np.bool_), np.asarray(correct_b, np.bool_)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected answers to the same items, not {first.shape}, {second.shape}")
    gains = first.astype(np.float64) - second
    only_first, only_second = int((gains > 0).sum()), int((gains < 0).sum())
    apart = only_first + only_second
    asked = "greater" if one_sided else "two-sided"
    p_value = float(binomtest(only_first, apart, alternative=asked).pvalue) if apart else 1.0
    items = len(gains)
    (difference,) = bootstrap(gains[:, None], lambda sums: sums / max(items, 1))
    verdict = Verdict.SAME
    if p_value < SIGNIFICANT:
        verdict = (
            Verdict.BETTER if one_sided or difference.low > 0
            else Verdict.WORSE if difference.high < 0
            else Verdict.SAME
        )  # fmt: skip
    return Comparison(
        items=items,
        only_first=only_first,
        only_second=only_second,
        difference=difference.value,
        low=difference.low,
        high=difference.high,
        p_value=p_value,
        one_sided=one_sided,
        verdict=verdict,
    )
