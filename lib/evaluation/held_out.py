"""What held-out items say of a trained model: its accuracy, its temperature, its threshold."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lib.evaluation.calibration import (
    Threshold,
    calibration_error,
    choose_threshold,
    fit_temperature,
    reliability,
)
from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation, ReliabilityBin
from lib.reasons import ErrorItem
from lib.taxonomy.taxonomy import Taxonomy


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


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A model's calibration and its evaluation on held-out items."""

    temperature: float
    threshold: Threshold
    evaluation: Evaluation
    error_before: float
    error_after: float
    bins: list[ReliabilityBin]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that a bundle keeps."""
        scores = self.evaluation.categories
        return {
            "validation_items": float(self.evaluation.items),
            "validation_accuracy": self.evaluation.accuracy,
            "validation_macro_f1": sum(each.f1 for each in scores) / len(scores),
            "calibration_error": self.error_after,
            "accepted_share": self.threshold.coverage,
            "accepted_precision": self.threshold.precision,
        }


def calibrate(scored: Scored, taxonomy: Taxonomy, target_precision: float) -> Calibrated:
    """Fit temperature and threshold on held-out items, and evaluate on them."""
    temperature = fit_temperature(scored.logits, scored.targets)
    correct = scored.logits.argmax(dim=1) == scored.targets
    raw = torch.softmax(scored.logits, dim=1).amax(dim=1)
    calibrated = torch.softmax(scored.logits / temperature, dim=1).amax(dim=1)
    bins = reliability(calibrated, correct)
    leaves = taxonomy.leaves
    return Calibrated(
        temperature=temperature,
        threshold=choose_threshold(calibrated, correct, target_precision),
        evaluation=evaluate(
            [leaves[column] for column in scored.targets.tolist()],
            [leaves[column] for column in scored.logits.argmax(dim=1).tolist()],
            taxonomy,
        ),
        error_before=calibration_error(reliability(raw, correct)),
        error_after=calibration_error(bins),
        bins=bins,
    )
