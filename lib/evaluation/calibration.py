"""Scores that mean something: temperature scaling and the threshold, both from held-out items."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lib.evaluation.results import ReliabilityBin
from lib.labels.decisions import NEVER

BINS = 15


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The least confidence that is accepted, and what it gave on held-out items."""

    confidence: float
    precision: float
    coverage: float


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Find the temperature that makes held-out confidences match accuracy.

    One parameter, fitted by minimising cross-entropy (Guo et al. 2017, "On Calibration of Modern
    Neural Networks", https://arxiv.org/abs/1706.04599).

    Args:
        logits: float [n, categories] of held-out items.
        targets: int64 [n], their true columns.
    """
    logits = logits.double()
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(logits / log_temperature.exp(), targets, reduction="sum")
        # a prior of one item's weight: where all items are right, nothing else holds it
        loss = loss + log_temperature.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(log_temperature.detach().exp().clamp(0.05, 20.0))


def choose_threshold(confidence: Tensor, correct: Tensor, target_precision: float) -> Threshold:
    """Find the least confidence at which accepted held-out items reach the target precision.

    Args:
        confidence: float [n], the probability of the predicted category.
        correct: bool [n], whether the prediction was right.
        target_precision: 0 to 1; where it cannot be reached, no confidence is enough.
    """
    order = confidence.argsort(descending=True)
    sorted_confidence, right = confidence[order].double(), correct[order].double()
    count = torch.arange(1, len(order) + 1, dtype=torch.float64)
    precision = right.cumsum(0) / count
    # items of equal confidence are accepted together
    last_of_ties = torch.ones(len(order), dtype=torch.bool)
    last_of_ties[:-1] = sorted_confidence[1:] != sorted_confidence[:-1]
    reached = ((precision >= target_precision) & last_of_ties).nonzero()
    if len(reached) == 0:
        return Threshold(confidence=NEVER, precision=1.0, coverage=0.0)
    last = int(reached[-1])
    return Threshold(
        confidence=float(sorted_confidence[last]),
        precision=float(precision[last]),
        coverage=(last + 1) / len(order),
    )


def reliability(confidence: Tensor, correct: Tensor) -> list[ReliabilityBin]:
    """Stated against observed accuracy in bins of equal width; empty bins are left out."""
    index = (confidence.double() * BINS).long().clamp(0, BINS - 1)
    bins = []
    for each in range(BINS):
        inside = index == each
        if count := int(inside.sum()):
            stated = float(confidence[inside].double().mean())
            observed = float(correct[inside].double().mean())
            bins.append(ReliabilityBin(confidence=stated, accuracy=observed, items=count))
    return bins


def calibration_error(bins: list[ReliabilityBin]) -> float:
    """Expected calibration error: the gap of each bin, weighted by its items (Guo et al. 2017)."""
    items = sum(each.items for each in bins)
    return sum(each.items * abs(each.confidence - each.accuracy) for each in bins) / max(items, 1)
