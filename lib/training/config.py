"""How a network is trained: what a run file may say, and the dials that follow from the data."""

import math

from pydantic import Field

from lib.config.config import Config
from lib.models.options import Precision
from lib.runs.progress import plural

# with fewer steps a network has hardly left where it began
FEWEST_STEPS = 150
# an epoch of few items is several passes: what is reported and resumed is worth its while
STEPS_OF_AN_EPOCH = 25
# passes over all items by how many there are: the more, the fewer are needed
PASSES = ((500, 32), (2_000, 24), (10_000, 8), (50_000, 5))
FEWEST_PASSES = 3
PASSES_FROM_SCRATCH = 4  # times as many, since there is all to learn


class AugmentationConfig(Config):
    """How much each image is changed; 0 leaves that part out."""

    zoom: float = Field(default=0.3, ge=0, lt=1, description="up to this share is cropped away")
    stretch: float = Field(default=0.15, ge=0, lt=1)
    rotation_degrees: float = Field(default=10.0, ge=0, le=180)
    flip: bool = True
    light: float = Field(default=0.2, ge=0, lt=1, description="brightness and contrast, +- share")


class TrainingConfig(Config):
    """What a run file may say of how the network is trained; None follows from the data."""

    epochs: int | None = Field(default=None, ge=1, description="passes over all items")
    batch_size: int | None = Field(default=None, ge=1, description="over all workers together")
    learning_rate: float = Field(
        default=1e-3, gt=0, le=1, description="of the layers nearest the head"
    )
    layer_decay: float = Field(default=0.8, gt=0, le=1)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=0.5, description="share of the steps")
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    balanced_loss: bool | None = None  # None: where the categories are skewed
    precision: Precision = "auto"
    seed: int = 0
    augmentation: AugmentationConfig = AugmentationConfig()


class Dials(Config):
    """A recipe with nothing left open; a bundle keeps it."""

    passes: int  # over all items, in each epoch
    epochs: int
    batch_size: int
    head_rate: float
    backbone_rate: float  # of its last layers
    layer_decay: float  # of the rate, from each layer to the one before
    weight_decay: float
    warmup: float
    label_smoothing: float
    averaging: float  # share of the averaged weights that each step keeps
    frozen_norms: bool  # batch norms keep the statistics of the weights
    balanced_loss: bool | None
    precision: Precision
    seed: int
    augmentation: AugmentationConfig


def choose_dials(config: TrainingConfig, items: int, *, pretrained: bool) -> Dials:
    """Choose what a run file leaves open; `docs/training.md` says why.

    Args:
        config: what it says.
        items: to train on.
        pretrained: whether the network begins with weights.
    """
    batch_size = config.batch_size or _fitting_batch(items)
    steps = math.ceil(items / batch_size)  # of a pass
    passes = next((n for most, n in PASSES if items <= most), FEWEST_PASSES)
    if not pretrained:
        passes *= PASSES_FROM_SCRATCH
    wanted = config.epochs or max(passes, math.ceil(FEWEST_STEPS / steps))
    at_once = 1 if config.epochs else math.ceil(STEPS_OF_AN_EPOCH / steps)
    epochs = math.ceil(wanted / at_once)
    return Dials(
        passes=at_once,
        epochs=epochs,
        batch_size=batch_size,
        head_rate=10 * config.learning_rate if pretrained else config.learning_rate,
        backbone_rate=config.learning_rate,
        layer_decay=config.layer_decay if pretrained else 1.0,
        weight_decay=config.weight_decay,
        warmup=config.warmup,
        label_smoothing=config.label_smoothing,
        # the average spans about a tenth of the steps
        averaging=1 - 1 / max(0.1 * steps * at_once * epochs, 2),
        frozen_norms=pretrained,
        balanced_loss=config.balanced_loss,
        precision=config.precision,
        seed=config.seed,
        augmentation=config.augmentation,
    )


def few_steps(dials: Dials, items: int) -> str | None:
    """Say that a training is too short to be of use, or return None; only a run file makes it so.

    Args:
        dials: of the training.
        items: to train on.
    """
    steps = math.ceil(items / dials.batch_size)  # of a pass
    found = steps * dials.passes * dials.epochs
    if found >= FEWEST_STEPS:
        return None
    enough = math.ceil(FEWEST_STEPS / steps)
    return (
        f"training.epochs is {dials.epochs}, which makes {plural(found, 'step')} of "
        f"{dials.batch_size} photos: too few to learn much from. Leave the key out, or set it to "
        f"{enough} or more, for at least {FEWEST_STEPS} steps"
    )


def _fitting_batch(items: int) -> int:
    return 16 if items < 500 else 32 if items < 2_000 else 64


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate at a step: linear warm-up, then a cosine down to nothing."""
    rising = max(round(warmup * steps), 1)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))
