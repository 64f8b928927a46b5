"""Close calls: outcomes that a coarse precision may change; a finer one makes them again."""

from typing import Any

import numpy as np
from pydantic import model_validator

from lib.config.config import Config
from lib.labels.decisions import Decider
from lib.labels.outcomes import Odds, can_change, log_odds, outcomes

Probabilities = np.ndarray[Any, np.dtype[np.float32]]
Columns = np.ndarray[Any, np.dtype[np.int64]]

# log odds: nine in ten photos move by less in bf16, in EfficientNet-lite0; in ResNet-18 by a sixth
BF16_MOVED = 0.2
# what int8 must keep to be the default: see `judge_int8`
FEWEST_ITEMS = 100
MOST_CLOSE = 0.4  # from about half on, int8 and what is made again take longer than bf16
LEAST_AGREEMENT = 0.995
MOST_ACCURACY_LOST = 0.003
# held-out items that move by less than what is measured; those that move most are far from
# thresholds, and of the last tenth few cross one by more than that
MEASURED = 0.9
FAR = 6.0  # log odds of 0.9975: how far above it an item stands decides nothing


class Int8(Config):
    """What held-out items say of a backbone in int8; shares are 0 to 1."""

    # log odds: calls that so much can change are made again in a finer precision
    moved: float
    close: float  # share of such calls
    agreement: float  # outcomes equal to float32's, close calls made again
    accuracy: float  # of all labels, those for review among them
    reference_accuracy: float  # float32's
    items: int

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_version(cls, given: Any) -> Any:  # noqa: ANN401  # whatever stands in a file
        """Read `margin`, by which the best was ahead of the next at most where labels changed.

        Of two that have half of all between them, their log odds differ by about four times that.
        """
        if isinstance(given, dict) and isinstance(margin := given.get("margin"), float | int):
            rest = {name: value for name, value in given.items() if name != "margin"}
            return {"moved": 4 * margin, **rest}
        return given


def moves(exact: Probabilities, coarse: Probabilities) -> Odds:
    """Return by how much the log odds that decide on each item differ.

    These are of the leaf that is best in the coarse precision against all others, and against the
    next; what is farther than `FAR` from even counts as being there.

    Args:
        exact: float32 [n, leaves].
        coarse: float32 [n, leaves].

    Returns:
        float64 [n].
    """
    order = np.argsort(-coarse, axis=1, kind="stable")[:, :2]

    def odds(probabilities: Probabilities) -> Odds:
        two = np.take_along_axis(probabilities, order, axis=1).astype(np.float64)
        of_two = two[:, :1] / np.maximum(two.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        beside = log_odds(np.concatenate([two[:, :1], of_two], axis=1))
        found: Odds = np.clip(beside, -FAR, FAR)
        return found

    found: Odds = np.abs(odds(exact) - odds(coarse)).max(axis=1)
    return found


def judge_int8(
    exact: Probabilities,
    int8: Probabilities,
    targets: Columns,
    decider: Decider,
    moved: float | None = None,
) -> Int8 | None:
    """Measure by how much int8 moves what is decided, or return None: int8 is no good.

    Args:
        exact: float32 [n, leaves], held-out items in float32.
        int8: float32 [n, leaves], the same items in int8.
        targets: int64 [n], their true columns.
        decider: decides on them.
        moved: log odds, where it is known by how much; None: it is measured.
    """
    if len(targets) < FEWEST_ITEMS:
        return None
    if moved is None:
        moved = max(float(np.quantile(moves(exact, int8), MEASURED)), BF16_MOVED)
    close = can_change(decider, int8, moved)
    used = np.where(close[:, np.newaxis], exact, int8)
    said, fine = compared(exact, used, targets, decider)
    found = Int8(moved=moved, close=float(close.mean()), **said)
    return found if fine and found.close <= MOST_CLOSE else None


def compared(
    exact: Probabilities, used: Probabilities, targets: Columns, decider: Decider
) -> tuple[dict[str, Any], bool]:
    """Compare what is decided of held-out items with what float32 decides of them.

    Args:
        exact: float32 [n, leaves], in float32.
        used: float32 [n, leaves], of the same items in a faster way.
        targets: int64 [n], their true columns.
        decider: decides on them.

    Returns:
        Agreement, accuracies and items, as `Int8` names them, and whether that is good enough.
    """
    same = np.array(outcomes(decider, used)) == np.array(outcomes(decider, exact))
    right, reference = (each.argmax(axis=1) == targets for each in (used, exact))
    # suggestions for review change both ways: what is lost is more than their noise
    lost = reference.astype(np.float64) - right
    noise = lost.std() / len(targets) ** 0.5
    said = {
        "agreement": float(same.mean()),
        "accuracy": float(right.mean()),
        "reference_accuracy": float(reference.mean()),
        "items": len(targets),
    }
    fine = said["agreement"] >= LEAST_AGREEMENT and lost.mean() - noise <= MOST_ACCURACY_LOST
    return said, bool(fine)
