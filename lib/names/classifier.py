"""A linear classifier of titles: fitted in seconds on CPUs, kept as few sparse weights."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.names.text import FEATURES, features_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = np.ndarray[Any, np.dtype[np.float64]]
Probabilities = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

MOST_WEIGHTS = 2**20  # the largest; six bytes each
# a pass takes seconds over 100,000 titles, and a few are enough of these
SEEN, FEWEST_PASSES, MOST_PASSES = 50_000, 3, 50
PENALTY = 1e-5
UNKNOWN = -8.0  # the margin of a category without a title, as of one that is not meant


@dataclass(frozen=True, kw_only=True)
class NameWeights:
    """What was learned: a margin of each category is features times weights, plus bias.

    Attributes:
        weight: float32 [`FEATURES`, categories], sparse.
        bias: float32 [categories].
    """

    weight: "csr_matrix"
    bias: Probabilities

    def margins(self, names: Sequence[str | None]) -> tuple[Floats, Bools]:
        """Return margins float64 [n, categories], and whether each title says anything, bool [n].

        Args:
            names: n titles.
        """
        features = features_of(names)
        margins: Floats = (features @ self.weight).toarray() + self.bias
        return margins, np.diff(features.indptr) > 0


@dataclass(frozen=True, kw_only=True)
class NameClassifier:
    """A bundle's classifier of titles.

    Attributes:
        weights: what was learned.
        category_ids: the leaf of each of its columns; columns of one leaf add up.
        leaves: in the order of the columns of probabilities.
        temperature: what margins are divided by.
    """

    weights: NameWeights
    category_ids: tuple[str, ...]
    leaves: tuple[str, ...]
    temperature: float

    def probabilities(self, names: Sequence[str | None]) -> tuple[Probabilities, Bools]:
        """Return calibrated probabilities float32 [n, leaves], and which titles say anything.

        Args:
            names: n titles.
        """
        margins, says = self.weights.margins(names)
        found = softmax(margins / self.temperature)
        if self.category_ids == self.leaves:
            return found, says
        summed = np.zeros((len(found), len(self.leaves)), np.float32)
        for column, leaf in enumerate(self.category_ids):
            summed[:, self.leaves.index(leaf)] += found[:, column]
        return summed, says


def fit_names(names: Sequence[str | None], targets: Ints, leaves: int) -> NameWeights | None:
    """Fit a classifier of titles: a logistic regression for each category against the others.

    Args:
        names: n titles; those that say nothing are left out.
        targets: int64 [n], their columns.
        leaves: how many columns there are.

    Returns:
        None where titles say something of fewer than two categories.
    """
    if not any(names):
        return None
    from sklearn.linear_model import SGDClassifier  # noqa: PLC0415  # takes a second

    features = features_of(names)
    says = np.diff(features.indptr) > 0
    features, known = features[says], targets[says]
    there = np.unique(known)
    if len(there) < 2:
        return None
    passes = min(max(SEEN // len(known), FEWEST_PASSES), MOST_PASSES)
    weight = np.zeros((leaves, FEATURES), np.float32)
    bias = np.full(leaves, UNKNOWN, np.float32)

    def fit(column: int) -> None:
        one = SGDClassifier(
            loss="log_loss", alpha=PENALTY, average=True, max_iter=passes, tol=None, random_state=0
        ).fit(features, known == column)
        weight[column], bias[column] = one.coef_[0], one.intercept_[0]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # it lets other threads run
        list(pool.map(fit, there))
    return NameWeights(weight=largest(weight.T), bias=bias)


def largest(weight: Probabilities) -> "csr_matrix":
    """Keep the largest of some weights, float32 [`FEATURES`, categories], rounded to float16."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415  # only where names are used

    size = np.abs(weight)
    kept = np.count_nonzero(size)
    if kept > MOST_WEIGHTS:
        least = np.partition(size.ravel(), size.size - MOST_WEIGHTS)[size.size - MOST_WEIGHTS]
        weight = np.where(size > least, weight, np.float32(0))
    return csr_matrix(weight.astype(np.float16).astype(np.float32))


def softmax(logits: Floats) -> Probabilities:
    """Return probabilities float32 of logits, float64 [n, categories]."""
    ahead = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(ahead)
    found: Probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
