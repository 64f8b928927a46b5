"""Close calls: labels that a coarse precision may change; a finer one makes them again."""

from typing import Any

import numpy as np
from pydantic import ConfigDict

from lib.config.config import Config

Probabilities = np.ndarray[Any, np.dtype[np.float32]]
Columns = np.ndarray[Any, np.dtype[np.int64]]

# Rounding to bf16 moves probabilities by about a point, and so changes labels only where two
# categories are nearly equal.
CLOSE = 0.02
# what int8 must keep to be the default: see `judge_int8`
FEWEST_ITEMS = 100
MOST_CLOSE = 0.25
LEAST_AGREEMENT = 0.995
MOST_ACCURACY_LOST = 0.003
SPARED = 0.003  # of the items: labels that int8 may change though the call is not close
WIDENED = 1.5  # items that nobody has held out may be off by more


class Int8(Config):
    """What held-out items say of a backbone in int8; shares are 0 to 1."""

    model_config = ConfigDict(allow_inf_nan=False)

    margin: float  # calls closer than this are made again in a finer precision
    close: float  # share of such calls
    agreement: float  # labels equal to float32's, close calls made again
    accuracy: float
    reference_accuracy: float  # float32's
    items: int


def margins(probabilities: Probabilities) -> Probabilities:
    """How far the best category is ahead of the next; one alone is never close.

    Args:
        probabilities: float32 [n, categories].

    Returns:
        float32 [n].
    """
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    best = np.partition(probabilities, -2, axis=1)
    ahead: Probabilities = best[:, -1] - best[:, -2]
    return ahead


def judge_int8(exact: Probabilities, int8: Probabilities, targets: Columns) -> Int8 | None:
    """Choose the margin below which calls in int8 are made again, or return None: int8 is no good.

    Args:
        exact: float32 [n, categories], held-out items in float32.
        int8: float32 [n, categories], the same items in int8.
        targets: int64 [n], their true columns.
    """
    count = len(targets)
    if count < FEWEST_ITEMS:
        return None
    ahead = margins(int8)
    changed = np.sort(ahead[int8.argmax(axis=1) != exact.argmax(axis=1)])
    held = changed[: max(len(changed) - int(SPARED * count), 0)]
    margin = max(WIDENED * float(held.max(initial=0.0)), CLOSE)
    close = ahead < margin
    labels = np.where(close, exact.argmax(axis=1), int8.argmax(axis=1))
    found = Int8(
        margin=margin,
        close=float(close.mean()),
        agreement=float((labels == exact.argmax(axis=1)).mean()),
        accuracy=float((labels == targets).mean()),
        reference_accuracy=float((exact.argmax(axis=1) == targets).mean()),
        items=count,
    )
    lost = found.reference_accuracy - found.accuracy
    fine = found.agreement >= LEAST_AGREEMENT and lost <= MOST_ACCURACY_LOST
    return found if fine and found.close <= MOST_CLOSE else None
