"""The epochs of a training, as its checkpoints keep them and its figures say them."""

import math
from dataclasses import asdict, dataclass

from lib.runs.metrics_log import Line


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch of training; losses are mean cross-entropy in nats, accuracy is 0 to 1.

    Where no item is held out, there is no validation: its figures are not numbers.
    """

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    images_per_s: float
    seconds: float
    learning_rate: float


def epoch_line(epoch: EpochRecord) -> Line:
    """Return the figures of a training's epoch."""
    left_out = {"seconds", "learning_rate"}
    return {
        name: round(value, 4)
        for name, value in asdict(epoch).items()
        if name not in left_out and math.isfinite(value)
    }
