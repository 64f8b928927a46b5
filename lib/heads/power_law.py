"""Errors that fall with the number of labels by a power law, with a band around them."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.evaluation.intervals import LEVEL, Estimate

Floats = np.ndarray[Any, np.dtype[np.float64]]

EXPONENTS = np.linspace(0.0, 1.2, 13)
FLOORS = np.array([0.0, 0.2, 0.4, 0.6])  # of today's errors, what no label takes away
LEVELS = 41  # of today's error
PRIOR_ITEMS = 2.0  # that a category's error is as all categories'
TRUST = 0.7  # that a category's exponent is as all categories'; else it may be any
ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
FURTHEST = 10.0  # times the labels there are; beyond, the curve is a guess


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """Many power laws, weighted by how well each explains what was measured.

    The error of n labels is e (f + (1 - f) (n / m)^-b), where e is that of m labels, b the exponent
    and f the share that stays (Hestness et al. 2017, "Deep Learning Scaling is Predictable,
    Empirically", https://arxiv.org/abs/1712.00409).

    Attributes:
        labels: m.
        errors: float64 [grid], e of each law.
        exponents: float64 [grid].
        floors: float64 [grid].
        weights: float64 [grid], sum 1.
    """

    labels: float
    errors: Floats
    exponents: Floats
    floors: Floats
    weights: Floats

    def accuracy(self, labels: float) -> Estimate:
        """Return the median of what the laws say of so many labels, and its 95 % interval."""
        falling = (labels / self.labels) ** -self.exponents
        # fewer labels than were measured may not take more than all
        errors = np.minimum(self.errors * (self.floors + (1 - self.floors) * falling), 1)
        order = np.argsort(1 - errors)
        ends = np.cumsum(self.weights[order])
        tail = (1 - LEVEL) / 2
        places = np.searchsorted(ends, [0.5, tail, 1 - tail]).clip(max=len(order) - 1)
        value, low, high = (1 - errors)[order][places].tolist()
        return Estimate(value=value, low=low, high=high)

    def needed(self, goal: float, labels: float) -> int | None:
        """Return how many labels beyond so many reach an accuracy; None where none would."""
        steps = _steps((FURTHEST - 1) * labels)
        at = bisect_left(steps, goal, key=lambda more: self.accuracy(labels + more).value)
        return steps[at] if at < len(steps) else None


def _steps(most: float) -> list[int]:
    """Return round numbers up to one; the band is far wider than their gaps."""
    found: list[int] = []
    scale = 1
    while not found or found[-1] < most:
        found += [round(each * scale) for each in ROUND if round(each * scale) == each * scale]
        scale *= 10
    return [each for each in found if each <= most]


def fit_power_law(
    labels: Floats, right: Floats, whole: Floats, like: PowerLaw | None = None
) -> PowerLaw | None:
    """Weigh power laws by what was measured at some numbers of labels.

    Args:
        labels: float64 [points], how many there were, rising.
        right: float64 [points], held-out items that were right with so many.
        whole: float64 [points], held-out items.
        like: of all categories, for one of them, of which few items may say little.

    Returns:
        None where the most labels have no held-out item.
    """
    from scipy.special import betaincinv, xlog1py, xlogy  # noqa: PLC0415 - only a fit needs it

    if not whole[-1]:
        return None
    wrong = whole - right
    typical = float(like.weights @ like.errors) if like else 0.5
    weight = PRIOR_ITEMS if like else 1.0
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    errors = betaincinv(wrong[-1] + weight * typical, right[-1] + weight * (1 - typical), levels)
    shape = _shape(like)
    error, exponent, floor = (
        each.reshape(-1) for each in np.meshgrid(errors, EXPONENTS, FLOORS, indexing="ij")
    )
    log_weight = np.log(np.broadcast_to(shape, (LEVELS, *shape.shape)).reshape(-1))
    for at in range(len(labels) - 1):
        falling = (labels[at] / labels[-1]) ** -exponent
        expected = np.clip(error * (floor + (1 - floor) * falling), 1e-6, 1 - 1e-6)
        likely = xlogy(wrong[at], expected) + xlog1py(right[at], -expected)
        log_weight += likely / (len(labels) - 1)  # all points are of the same items
    weights = np.exp(log_weight - log_weight.max())
    return PowerLaw(
        labels=float(labels[-1]),
        errors=error,
        exponents=exponent,
        floors=floor,
        weights=weights / weights.sum(),
    )


def _shape(like: PowerLaw | None) -> Floats:
    """Return how likely exponents and floors are before anything is seen; sum 1."""
    flat = np.full((len(EXPONENTS), len(FLOORS)), 1 / (len(EXPONENTS) * len(FLOORS)))
    if like is None:
        return flat
    seen: Floats = like.weights.reshape(LEVELS, *flat.shape).sum(axis=0)
    return TRUST * seen + (1 - TRUST) * flat
