"""A head per tag, from a few examples: linear discriminants against the whole catalog.

How embeddings vary is measured on a sample of the catalog, which needs no labels; a few examples
say where the tag lies. So that many are left for the centre, each example is held out alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lib.evaluation.promise_test import Rule, interval, labels_needed, least_confidence, rank
from lib.labels.decisions import NEVER
from lib.labels.promises import Accept

# of the covariance towards a sphere: of photos of clothes, by five examples each, 62 % of the best
# have the tag, and 27 % at 0.1
SHRINKAGE = 0.99
LIKELY = 0.5
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class TagHead:
    """What tells a tag, and what held-out examples say of it.

    Attributes:
        weight: float32 [d], for embeddings of length one; with `bias`, their logit.
        bias: of the logit.
        threshold: the least probability that is accepted; `NEVER` where none can be promised.
        positive: examples that have the tag.
        negative: counter-examples.
        accepted: held-out examples that reach the threshold, or `LIKELY` where that is `NEVER`.
        right: of these, how many have the tag.
        low: lower end of the interval of that precision; None without counter-examples.
        high: its upper end.
        needed: examples more that would make a promise possible, as far as these tell; or None.
    """

    weight: Tensor
    bias: float
    threshold: float
    positive: int
    negative: int
    accepted: int
    right: int
    low: float | None
    high: float | None
    needed: int | None


class Background:
    """How the embeddings of a catalog vary: half of a sample of them, the rest is held out."""

    def __init__(self, sample: Tensor) -> None:
        """Measure a sample, float [n, d], of at least two rows."""
        unit = to_unit(sample)
        half = max(len(unit) // 2, 1)
        fitted, self._held_out = unit[:half], unit[half:]
        self._middle = fitted.mean(dim=0)
        apart = fitted - self._middle
        covariance = (1 - SHRINKAGE) * (apart.T @ apart) / len(fitted)
        sphere = SHRINKAGE * covariance.diagonal().mean() / (1 - SHRINKAGE)
        covariance.diagonal().add_(sphere + 1e-8)
        self._root = torch.linalg.cholesky(covariance)

    def fit(self, positive: Tensor, negative: Tensor, accept: Accept) -> TagHead:
        """Fit a tag's head, and choose the threshold that keeps a promise.

        Args:
            positive: embeddings of examples, float [p, d], p of 2 at least.
            negative: of counter-examples, float [m, d].
            accept: what is promised; only examples and counter-examples can say so.
        """
        some, others = to_unit(positive), to_unit(negative)
        weight, middle = self._direction(some.mean(dim=0), others)
        # each example is scored by a head that has not seen it
        held = torch.stack([self._score_alone(some, others, n) for n in range(len(some))])
        against = [self._score_against(some, others, n) for n in range(len(others))]
        counter = torch.stack(against) if against else torch.empty(0)
        beside = (self._held_out - middle) @ weight
        slope, shift = _to_logits(held, torch.cat([counter, beside]))
        labelled = torch.cat([held, counter]).double()
        confidence = torch.sigmoid(slope * labelled + shift).numpy()
        right = np.arange(len(labelled)) < len(held)
        threshold, needed = _promise(confidence, right, accept) if against else (NEVER, None)
        least = threshold if threshold < NEVER else LIKELY
        accepted = int((confidence >= least).sum())
        good = int((right & (confidence >= least)).sum())
        ends = interval(good, accepted, accept.confidence) if against and accepted else (None, None)
        return TagHead(
            weight=(slope * weight).float(),
            bias=float(shift - slope * (middle @ weight)),
            threshold=threshold,
            positive=len(some),
            negative=len(others),
            accepted=accepted,
            right=good,
            low=ends[0],
            high=ends[1],
            needed=needed,
        )

    def _direction(self, centre: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminant of a centre against catalog and counter-examples, and its nought.

        These count as much as all of the catalog: they are what is taken for the tag.
        """
        against = self._middle
        if len(others):
            against = (against + others.mean(dim=0)) / 2
        weight = torch.cholesky_solve((centre - against).unsqueeze(1), self._root).squeeze(1)
        return weight, (centre + against) / 2

    def _score_alone(self, some: Tensor, others: Tensor, place: int) -> Tensor:
        left = torch.cat([some[:place], some[place + 1 :]])
        weight, middle = self._direction(left.mean(dim=0), others)
        return (some[place] - middle) @ weight

    def _score_against(self, some: Tensor, others: Tensor, place: int) -> Tensor:
        left = torch.cat([others[:place], others[place + 1 :]])
        weight, middle = self._direction(some.mean(dim=0), left)
        return (others[place] - middle) @ weight


def probabilities(matrix: Tensor, heads: Sequence[TagHead]) -> Tensor:
    """Return how likely each row has each tag, float32 [n, tags].

    Args:
        matrix: embeddings, float [n, d].
        heads: of the tags.
    """
    weight = torch.stack([head.weight for head in heads])
    bias = torch.tensor([head.bias for head in heads])
    # the rows' lengths are taken off the products, which are fewer values
    rows = matrix.float()
    products = rows @ weight.T / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.sigmoid(products + bias)


def to_unit(rows: Tensor) -> Tensor:
    """Return rows, float [n, d], of length one, in float32."""
    return torch.nn.functional.normalize(rows.float(), dim=1)


def _to_logits(positive: Tensor, negative: Tensor) -> tuple[float, float]:
    """Return the slope and the shift that make scores logits; both sides weigh the same."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  # takes a second

    scores = torch.cat([positive, negative]).double().numpy()
    holds = np.arange(len(scores)) < len(positive)
    middle, spread = float(scores.mean()), max(float(scores.std()), 1e-6)
    scaled = ((scores - middle) / spread)[:, np.newaxis]
    fitted = LogisticRegression(class_weight="balanced").fit(scaled, holds)
    slope = max(float(fitted.coef_[0, 0]), 0.0) / spread
    return slope, float(fitted.intercept_[0]) - slope * middle


def _promise(
    confidence: Floats, right: np.ndarray[Any, np.dtype[np.bool_]], accept: Accept
) -> tuple[float, int | None]:
    """Return the least probability that keeps the promise, else how many examples more would."""
    ranked = rank(confidence, right)
    rule = Rule.of(accept, 1)
    threshold = least_confidence(ranked, rule, ranked.right / ranked.count)
    return threshold, None if threshold < NEVER else labels_needed(ranked, rule)
