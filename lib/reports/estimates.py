"""Figures with their intervals and counts, as people read them: 88.4 % to 92.9 %; 335 of 372."""

import math

from lib.evaluation.assessment import Share
from lib.evaluation.intervals import Estimate
from lib.reports.formats import NOTHING, count, decimal


def between(estimate: Estimate) -> str:
    """Write the interval of a share in percent."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return NOTHING
    low, high = (min(max(100 * end, 0), 100) for end in (estimate.low, estimate.high))
    return f"{low:.1f} to {high:.1f}\u00a0%"


def spread(estimate: Estimate) -> str:
    """Write the interval of a plain number."""
    return f"{decimal(estimate.low)} to {decimal(estimate.high)}"


def counted(share: Share) -> str:
    """Write what a share rests on."""
    return f"{count(share.part)} of {count(share.whole)}"
