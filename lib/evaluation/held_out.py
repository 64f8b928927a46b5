"""What held-out items say of a trained model: its accuracy, its calibration, its promise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lib.evaluation.calibration import Scaling, choose_scaling
from lib.evaluation.metrics import evaluate
from lib.evaluation.paired import Comparison, compare
from lib.evaluation.promise_test import Floats
from lib.evaluation.reliability import calibration_error, reliability
from lib.evaluation.results import Evaluation, ReliabilityBin
from lib.evaluation.thresholds import Ints, Thresholds, choose_thresholds
from lib.labels.decisions import Decider, Decision
from lib.labels.promises import Accept, Claim
from lib.reasons import ErrorItem
from lib.taxonomy.taxonomy import Taxonomy

Scores = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Held-out items under the best model.

    Attributes:
        item_ids: n ids.
        logits: float32 [n, categories].
        targets: int64 [n].
        unusable: items of both sides that could not be read.
        train_items: how many items were trained on.
    """

    item_ids: list[str]
    logits: Tensor
    targets: Tensor
    unusable: list[ErrorItem]
    train_items: int

    @property
    def correct(self) -> Tensor:
        """Whether each item's label is right; bool [n]."""
        return self.logits.argmax(dim=1) == self.targets


def together(parts: Sequence[Scored]) -> Scored:
    """Put the scores of workers, or of folds, together; an item left out by several is one."""
    return Scored(
        item_ids=[item_id for part in parts for item_id in part.item_ids],
        logits=torch.cat([part.logits for part in parts]),
        targets=torch.cat([part.targets for part in parts]),
        unusable=list({each.item_id: each for part in parts for each in part.unusable}.values()),
        train_items=max(part.train_items for part in parts),
    )


def compare_scored(first: Scored, second: Scored) -> Comparison:
    """Say whether a model is better than a simpler one, on the items that both were asked about."""
    place = {item_id: row for row, item_id in enumerate(second.item_ids)}
    both = [(row, place[each]) for row, each in enumerate(first.item_ids) if each in place]
    ours, theirs = (list(rows) for rows in zip(*both, strict=True))
    return compare(first.correct[ours].numpy(), second.correct[theirs].numpy(), one_sided=True)


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A model's calibration and its evaluation on held-out items.

    All figures are of confidences that were calibrated on the other folds, so that no item is
    judged by a calibration that has seen it.

    Attributes:
        taxonomy: whose leaves the columns are.
        scaling: what the model's logits are scaled by; `Scaling.fold` puts a scale and an offset
            into its head.
        probabilities: float64 [n, categories], of the items, each by the other folds' scaling.
        thresholds: the least confidence of each category, and what it rests on.
        evaluation: of the predictions.
        error_before: calibration error of the logits as they are, 0 to 1.
        error_after: of calibrated ones.
        bins: reliability of calibrated confidences.
    """

    taxonomy: Taxonomy
    scaling: Scaling
    probabilities: Floats
    thresholds: Thresholds
    evaluation: Evaluation
    error_before: float
    error_after: float
    bins: list[ReliabilityBin]

    @property
    def temperature(self) -> float:
        """What logits are divided by."""
        return self.scaling.temperature

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What the thresholds rest on."""
        return self.thresholds.claims

    @property
    def decider(self) -> Decider:
        """What decides by these thresholds."""
        return Decider(
            taxonomy=self.taxonomy,
            category_ids=self.taxonomy.leaves,
            threshold=self.threshold,
            thresholds=self.thresholds.by_category,
        )

    @property
    def threshold(self) -> float:
        """The least confidence with which any leaf is accepted."""
        return min(each.threshold for each in self.claims if each.decision == Decision.ACCEPT)

    @property
    def coverage(self) -> float:
        """Share of held-out items that are accepted, as leaves."""
        return self._accepted / max(self.evaluation.items, 1)

    @property
    def _accepted(self) -> int:
        return sum(each.accepted for each in self.claims if each.decision == Decision.ACCEPT)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a bundle keeps; the precision only where anything is accepted."""
        scores = self.evaluation.categories
        right = sum(each.right for each in self.claims if each.decision == Decision.ACCEPT)
        figures = {
            "validation_items": float(self.evaluation.items),
            "validation_accuracy": self.evaluation.accuracy,
            "validation_macro_f1": sum(each.f1 for each in scores) / len(scores),
            "calibration_error": self.error_after,
            "accepted_share": self.coverage,
        }
        return figures | ({"accepted_precision": right / self._accepted} if self._accepted else {})


def calibrate(scored: Scored, taxonomy: Taxonomy, accept: Accept) -> Calibrated:
    """Scale a model's logits where that helps, choose its thresholds, and evaluate it.

    Args:
        scored: items that the model has not seen: held out, or out of fold.
        taxonomy: whose leaves the logits' columns are.
        accept: what is promised of accepted labels.
    """
    scaled = choose_scaling(scored.logits, scored.targets)
    probabilities = torch.softmax(scaled.logits, dim=1)
    confidence, predicted = probabilities.max(dim=1)
    raw, first = torch.softmax(scored.logits.double(), dim=1).max(dim=1)
    bins = reliability(confidence, predicted == scored.targets)
    leaves = taxonomy.leaves
    return Calibrated(
        taxonomy=taxonomy,
        scaling=scaled.scaling,
        probabilities=probabilities.numpy(),
        thresholds=choose_thresholds(
            probabilities.numpy(), scored.targets.numpy(), taxonomy, accept
        ),
        evaluation=evaluate(
            [leaves[column] for column in scored.targets.tolist()],
            [leaves[column] for column in predicted.tolist()],
            taxonomy,
        ),
        error_before=calibration_error(reliability(raw, first == scored.targets)),
        error_after=calibration_error(bins),
        bins=bins,
    )


def calibrated_on(
    probabilities: Scores, targets: Ints, taxonomy: Taxonomy, accept: Accept
) -> Calibrated:
    """Choose thresholds of probabilities that are calibrated already, and evaluate them.

    Args:
        probabilities: [n, leaves], each item's by a calibration that has not seen it.
        targets: int64 [n], true columns.
        taxonomy: whose leaves the columns are.
        accept: what is promised.
    """
    found, leaves = probabilities.astype(np.float64), taxonomy.leaves
    predicted = found.argmax(axis=1)
    right = torch.from_numpy(predicted == targets)
    bins = reliability(torch.from_numpy(found.max(axis=1)), right)
    error = calibration_error(bins)
    return Calibrated(
        taxonomy=taxonomy,
        scaling=Scaling(),
        probabilities=found,
        thresholds=choose_thresholds(found, targets, taxonomy, accept),
        evaluation=evaluate(
            [leaves[column] for column in targets.tolist()],
            [leaves[column] for column in predicted.tolist()],
            taxonomy,
        ),
        error_before=error,
        error_after=error,
        bins=bins,
    )
