"""How far a figure that some items gave may be trusted: bootstrap and Clopper-Pearson intervals."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ConfigDict

from lib.config.config import Config

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RESAMPLES = 1_000
LEVEL = 0.95
CHUNK_DRAWS = 8_000_000  # items drawn at a time: 64 MB of weights

Floats = np.ndarray[Any, np.dtype[np.float64]]
Statistic = Callable[[Floats], Floats]


class Estimate(Config):
    """A figure and the ends of its 95 % interval; not a number where there is none."""

    model_config = ConfigDict(allow_inf_nan=True)

    value: float
    low: float
    high: float


def bootstrap(
    columns: "Floats | csr_array", statistic: Statistic, *, centred: bool = False, seed: int = 0
) -> list[Estimate]:
    """Estimate figures that follow from sums over items, with bootstrap percentile intervals.

    Items are drawn with replacement, as many as there are, 1,000 times, and each draw's sums give
    the figures anew (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, 13.3). The
    same seed draws the same items, so figures of one set of items go together.

    Args:
        columns: float64 [n, m], dense or sparse; what is added up of each item.
        statistic: from sums, float64 [..., m], to figures, float64 [..., k]; not a number where a
            figure has no value, as the precision of nothing.
        centred: move each interval by the mean excess of the draws. A figure that noise makes
            larger, as a sum of absolute gaps, is larger still in a draw.
        seed: of the draws.

    Returns:
        k estimates; the ends are those of the draws in which the figure has a value.
    """
    items = columns.shape[0]
    whole = statistic(np.asarray(columns.sum(axis=0), np.float64).reshape(-1))
    if not items:
        return [Estimate(value=np.nan, low=np.nan, high=np.nan) for _ in whole]
    drawn = np.concatenate(
        [statistic(np.asarray(weights @ columns)) for weights in _draws(items, seed)]
    )
    found = []
    for value, figures in zip(whole.tolist(), drawn.T, strict=True):
        known = figures[np.isfinite(figures)]
        if not len(known):
            found.append(Estimate(value=value, low=np.nan, high=np.nan))
            continue
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        excess = float(known.mean()) - value if centred else 0.0
        found.append(Estimate(value=value, low=low - excess, high=high - excess))
    return found


def _draws(items: int, seed: int) -> Iterator[Floats]:
    """Yield how often each item is drawn, float64 [draws, items], some draws at a time."""
    random = np.random.default_rng(seed)
    at_once = max(CHUNK_DRAWS // items, 1)
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        places = random.integers(0, items, (count, items))
        places += np.arange(count)[:, None] * items
        weights = np.bincount(places.ravel(), minlength=count * items)
        yield weights.reshape(count, items).astype(np.float64)


def share(part: int, whole: int) -> Estimate:
    """Estimate a share by its count, with the exact interval of Clopper and Pearson (1934).

    It holds its level for any count, however small, where a bootstrap of "12 of 12" has no width.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - only a figure needs it

    if not whole:
        return Estimate(value=np.nan, low=0.0, high=1.0)
    tail = (1 - LEVEL) / 2
    low = float(betaincinv(part, whole - part + 1, tail)) if part else 0.0
    high = float(betaincinv(part + 1, whole - part, 1 - tail)) if part < whole else 1.0
    return Estimate(value=part / whole, low=low, high=high)
