"""Stated against observed accuracy, in bins of equal width."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lib.evaluation.results import ReliabilityBin

BINS = 15

Ints = np.ndarray[Any, np.dtype[np.int64]]


def bin_of(confidence: ArrayLike) -> Ints:
    """Return the bin of each confidence, int64 [n]."""
    return np.clip((np.asarray(confidence, np.float64) * BINS).astype(np.int64), 0, BINS - 1)


def reliability(confidence: ArrayLike, correct: ArrayLike) -> list[ReliabilityBin]:
    """Compare what was stated with what was observed; empty bins are left out.

    Args:
        confidence: float [n], 0 to 1.
        correct: bool [n].
    """
    stated, observed = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    index = bin_of(stated)
    return [
        ReliabilityBin(
            confidence=float(stated[index == each].mean()),
            accuracy=float(observed[index == each].mean()),
            items=int((index == each).sum()),
        )
        for each in np.unique(index)
    ]


def calibration_error(bins: list[ReliabilityBin]) -> float:
    """Expected calibration error: the gap of each bin, weighted by its items (Guo et al. 2017)."""
    items = sum(each.items for each in bins)
    return sum(each.items * abs(each.confidence - each.accuracy) for each in bins) / max(items, 1)
