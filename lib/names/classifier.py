"""A linear classifier of titles: fitted in seconds on CPUs, kept as few sparse weights."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.names.features import Bools, Floats, Ints, TitleEncoder, TitleFeatures, Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Probabilities = np.ndarray[Any, np.dtype[np.float32]]

MOST_WEIGHTS = 2**20  # the largest; six bytes each
# a pass takes seconds over 100,000 titles, and a few are enough of these
SEEN, FEWEST_PASSES, MOST_PASSES = 50_000, 3, 50
PENALTY = 1e-5
UNKNOWN = -8.0  # the margin of a category without a title, as of one that is not meant


@dataclass(frozen=True, kw_only=True)
class NameWeights:
    """What was learned: a margin of each category is features times weights, plus bias.

    Attributes:
        encoder: makes the features.
        weight: float32 [features, categories], sparse.
        bias: float32 [categories].
    """

    encoder: TitleEncoder
    weight: "csr_matrix"
    bias: Probabilities

    def margins(self, features: TitleFeatures) -> Floats:
        """Return margins float64 [n, categories] of n titles."""
        product = features.matrix @ self.weight
        dense = product if isinstance(product, np.ndarray) else product.toarray()
        margins: Floats = dense.astype(np.float64) + self.bias
        return margins


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
        features = self.weights.encoder.encode(names)
        found = softmax(self.weights.margins(features) / self.temperature)
        if self.category_ids == self.leaves:
            return found, features.says
        summed = np.zeros((len(found), len(self.leaves)), np.float32)
        for column, leaf in enumerate(self.category_ids):
            summed[:, self.leaves.index(leaf)] += found[:, column]
        return summed, features.says


def fit_names(features: TitleFeatures, targets: Ints, leaves: int) -> NameWeights | None:
    """Fit a classifier of titles: a logistic regression for each category against the others.

    Args:
        features: of n titles; those that say nothing are left out.
        targets: int64 [n], their columns.
        leaves: how many columns there are.

    Returns:
        None where titles say something of fewer than two categories.
    """
    known = targets[features.says]
    there = np.unique(known)
    if len(there) < 2:
        return None
    from sklearn.linear_model import SGDClassifier  # noqa: PLC0415  # takes a second

    matrix, middle, spread = _centred(features.rows(features.says).matrix)
    passes = min(max(SEEN // len(known), FEWEST_PASSES), MOST_PASSES)
    weight = np.zeros((leaves, features.encoder.width), np.float32)
    bias = np.full(leaves, UNKNOWN, np.float32)

    def fit(column: int) -> None:
        one = SGDClassifier(
            loss="log_loss", alpha=PENALTY, average=True, max_iter=passes, tol=None, random_state=0
        ).fit(matrix, known == column)
        weight[column], bias[column] = one.coef_[0] / spread, one.intercept_[0]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # it lets other threads run
        list(pool.map(fit, there))
    kept = largest(weight.T)
    return NameWeights(encoder=features.encoder, weight=kept, bias=bias - middle @ kept)


def _centred(matrix: "csr_matrix | Vectors") -> tuple["csr_matrix | Vectors", Vectors, float]:
    """Return features around their mean, of mean square length 1, that mean, and the length.

    An encoder's vectors lie close together, where a few passes would not tell them apart; hashed
    features, which are sparse, are spread as they are.
    """
    if not isinstance(matrix, np.ndarray):
        return matrix, np.zeros(matrix.shape[1], np.float32), 1.0
    middle = matrix.mean(axis=0)
    away = matrix - middle
    spread = float(np.sqrt(np.square(away).sum(axis=1).mean())) or 1.0
    return away / spread, middle, spread


def largest(weight: Probabilities) -> "csr_matrix":
    """Keep the largest of some weights, float32 [features, categories], rounded to float16."""
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
