"""Weighing features to a probability: logistic, and never far from what was known before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.matching.name_table import Bools, Floats, Ints

PULL = 0.1  # towards the weights before: of a weight that is 1 off, as much as 0.1 pair's log loss
Doubles = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Linear:
    """Weights of features, and what stands where all of them are 0."""

    weights: tuple[float, ...]
    bias: float

    def logits(self, features: Floats) -> Doubles:
        """Return the log odds of each row of features, float64 [n]."""
        return np.asarray(features @ np.array(self.weights) + self.bias, np.float64)


def probability(logits: Doubles) -> Doubles:
    """Return what log odds mean, from 0 to 1."""
    from scipy.special import expit  # noqa: PLC0415  # takes a while to load

    return np.asarray(expit(logits), np.float64)


def fit(features: Floats, same: Bools, before: Linear) -> Linear:
    """Fit weights to labelled pairs; with few pairs they stay near those before.

    Args:
        features: float32 [n, f].
        same: bool [n].
        before: weights that are kept where the pairs say nothing.
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # takes a while to load

    known = np.array([*before.weights, before.bias])
    with_bias = np.hstack([features.astype(np.float64), np.ones((len(features), 1))])

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        logits, moved = with_bias @ weights, weights - known
        found = np.logaddexp(0, logits).sum() - logits[same].sum() + PULL * (moved**2).sum()
        return float(found), with_bias.T @ (probability(logits) - same) + 2 * PULL * moved

    *weights, bias = minimize(loss, known, jac=True, method="L-BFGS-B").x.tolist()
    return Linear(tuple(weights), bias)


def folds_of(keys: Sequence[str], folds: int) -> Ints:
    """Divide pairs into folds by a key, so that pairs of one item stand together; int64 [n]."""
    order = {key: place for place, key in enumerate(sorted(set(keys)))}
    places = np.array([order[key] for key in keys], np.int64)
    shuffled = np.random.default_rng(0).permutation(len(order))
    return np.asarray(shuffled[places] % folds, np.int64)
