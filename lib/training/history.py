"""The epochs of a training, as its checkpoints keep them and its figures say them."""

from dataclasses import dataclass

from lib.runs.metrics_log import Line

FIGURES = [
    "epoch",
    "epochs",
    "images_per_s",
    "train_loss",
    "validation_loss",
    "validation_accuracy",
]


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch of training; losses are mean cross-entropy in nats, accuracy is 0 to 1."""

    epoch: int
    epochs: int
    stage: str
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    images_per_s: float
    seconds: float
    learning_rate: float


def epoch_line(epoch: EpochRecord) -> Line:
    """Return the figures of a training's epoch."""
    return {name: round(getattr(epoch, name), 4) for name in FIGURES}
