"""The epochs of a training, as its checkpoints keep them and its figures say them."""

import math
from dataclasses import asdict, dataclass

from lib.runs.metrics_log import Line
from lib.runs.progress import duration


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


def epoch_sentence(epoch: EpochRecord) -> str:
    """Say how an epoch went, and what time is left."""
    left = duration((epoch.epochs - epoch.epoch) * epoch.seconds)
    held_out = ""
    if not math.isnan(epoch.validation_loss):
        accuracy = f"accuracy {epoch.validation_accuracy:.1%}"
        held_out = f"held-out loss {epoch.validation_loss:.3f}, {accuracy}, "
    return (
        f"epoch {epoch.epoch}/{epoch.epochs}: loss {epoch.train_loss:.3f}, {held_out}"
        f"{epoch.images_per_s:,.0f} images/s, {left} left"
    )
