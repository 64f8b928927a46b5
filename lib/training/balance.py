"""How much each category counts in the loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

# from this ratio of the largest to the smallest category on, the loss is balanced
SKEWED = 3.0
# of the "effective number" of a category's items, see `class_weights`
BETA = 0.999


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
