"""How a network is trained: the dials, and the pure functions behind them."""

import math
from collections.abc import Sequence
from typing import Self

import torch
from pydantic import Field
from torch import Tensor

from lib.config.config import Config
from lib.models.options import Precision
from lib.training.augmentation import AugmentationConfig

# from this ratio of the largest to the smallest category on, the loss is balanced
SKEWED = 3.0
# of the "effective number" of a category's items, see `class_weights`
BETA = 0.999


class TrainingConfig(Config):
    """How the network is trained."""

    head_epochs: int = Field(default=1, ge=0)
    epochs: int = Field(default=8, ge=1, description="of the whole network, after the head's")
    batch_size: int = Field(default=64, ge=1, description="over all workers together")
    learning_rate: float = Field(default=1e-3, gt=0)
    backbone_factor: float = Field(default=0.5, gt=0, description="times learning_rate")
    weight_decay: float = Field(default=0.05, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=0.5, description="share of a stage's steps")
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    balanced_loss: bool | None = None  # None: where the categories are skewed
    precision: Precision = "auto"
    seed: int = 0
    augmentation: AugmentationConfig = AugmentationConfig()

    @property
    def total_epochs(self) -> int:
        """Epochs of both stages."""
        return self.head_epochs + self.epochs

    def from_scratch(self) -> Self:
        """Return the recipe for a backbone without weights: one stage, one rate."""
        return self.model_copy(update={"head_epochs": 0, "backbone_factor": 1.0})


def class_weights(counts: Sequence[int], *, balanced: bool | None) -> Tensor | None:
    """Weights of the categories in the loss, mean 1, or None where the loss is not balanced.

    By the effective number of samples (Cui et al. 2019, "Class-Balanced Loss Based on Effective
    Number of Samples", https://arxiv.org/abs/1901.05555).
    """
    if balanced is None:
        balanced = max(counts) >= SKEWED * min(counts)
    if not balanced:
        return None
    weights = (1 - BETA) / (1 - BETA ** torch.tensor(counts, dtype=torch.float64))
    return (weights / weights.mean()).float()


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate at a step: linear warm-up, then a cosine down to nothing."""
    rising = max(round(warmup * steps), 1)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))
