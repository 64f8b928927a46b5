"""Image and name together: a weighted product of their probabilities, fitted on held-out items."""

from typing import Any

import numpy as np

from lib.names.classifier import Probabilities, softmax
from lib.names.features import Floats, Ints

LEAST = 1e-9  # a probability: neither side may rule a category out for good
MOST = 10.0  # a weight
ENOUGH = 5_000  # held-out items: more say no more of two weights

Logs = np.ndarray[Any, np.dtype[np.floating[Any]]]


def as_logs(probabilities: Probabilities | Floats) -> Floats:
    """Return the logarithms of probabilities, none below that of `LEAST`; float64 [n, leaves]."""
    found: Floats = np.log(np.clip(probabilities.astype(np.float64), LEAST, 1.0))
    return found


def fuse(
    image: Probabilities | Floats, name: Probabilities | Floats, weights: tuple[float, float]
) -> Probabilities:
    """Return the probabilities of both together.

    Args:
        image: [n, leaves], calibrated.
        name: [n, leaves], calibrated.
        weights: of the image and of the name, 0 or more.

    Returns:
        float32 [n, leaves].
    """
    return softmax(weights[0] * as_logs(image) + weights[1] * as_logs(name))


def fit_weights(
    image: Probabilities | Floats, name: Probabilities | Floats, targets: Ints
) -> tuple[float, float]:
    """Find the weights that make the true categories of held-out items most likely.

    Args:
        image: [n, leaves], calibrated on other items.
        name: the same of the names.
        targets: int64 [n], true columns.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # only where a model is calibrated

    step = -(-len(targets) // ENOUGH) or 1
    sides = np.stack([as_logs(image[::step]), as_logs(name[::step])])
    targets = targets[::step]
    true = sides[:, np.arange(len(targets)), targets]

    def loss(weights: Floats) -> tuple[float, Floats]:
        shares = softmax(np.tensordot(weights, sides, axes=1)).astype(np.float64)
        of_truth = shares[np.arange(len(targets)), targets]
        expected = (shares * sides).sum(axis=2)
        # a prior of one item's weight: without anything to learn from, the image decides
        away = weights - np.array([1.0, 0.0])
        total = -np.log(np.maximum(of_truth, 1e-30)).sum() + away @ away
        return float(total), (expected - true).sum(axis=1) + 2 * away

    found = minimize(loss, [1.0, 0.5], jac=True, bounds=[(0.0, MOST)] * 2, method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])
