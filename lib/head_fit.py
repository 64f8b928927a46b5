"""Fitting a head on embeddings: a closed form to begin with, then a few passes of descent."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from lib.recipe import class_weights, rate_factor

SHRINKAGE = 0.1  # of the covariance towards a sphere: few items say little of small directions
BATCH = 1024
PASSES, LEAST_STEPS = 3, 200
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
LABEL_SMOOTHING = 0.1  # as the network was trained
SMOOTH_SHARE = 0.1  # of the steps that rise to the learning rate


@dataclass(frozen=True)
class Whitening:
    """Moves and turns embeddings so that within a category they vary by one in all directions."""

    mean: Tensor  # float32 [d]
    turn: Tensor  # float32 [d, d]

    def apply(self, embeddings: Tensor) -> Tensor:
        """Give float32 [n, d]."""
        return (embeddings.float() - self.mean) @ self.turn

    def fold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Give the head on plain embeddings that equals this one on turned ones."""
        plain = weight @ self.turn.T
        return plain, bias - plain @ self.mean


def fit_head(
    embeddings: Tensor, targets: Tensor, leaves: int, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Fit a linear head.

    It begins as linear discriminant analysis with a covariance that all categories share (Hastie,
    Tibshirani, Friedman, "The Elements of Statistical Learning", 4.3), which is right from a few
    items a category up, and descends from there on the cross-entropy. Deterministic: the same
    items in the same order give the same head on the same machine.

    Args:
        embeddings: float16 [n, d].
        targets: int64 [n], columns of the leaves.
        leaves: how many there are; each has an item at least.
        seed: of the order of the items.

    Returns:
        The weight, float32 [leaves, d], and the bias, float32 [leaves].
    """
    counts = torch.bincount(targets, minlength=leaves)
    whitening, centres = _whiten(embeddings, targets, counts)
    weight = centres.clone().requires_grad_()
    bias = (-0.5 * centres.square().sum(dim=1)).requires_grad_()
    balance = class_weights(counts.tolist(), balanced=None)
    optimizer = torch.optim.AdamW([weight, bias], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    a_pass = math.ceil(len(targets) / BATCH)
    steps = max(PASSES * a_pass, LEAST_STEPS)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) == 0:
            order = torch.randperm(len(targets), generator=generator)
        chosen, order = order[:BATCH], order[BATCH:]
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate_factor(step, steps, SMOOTH_SHARE)
        logits = linear(whitening.apply(embeddings[chosen]), weight, bias)
        loss = cross_entropy(
            logits, targets[chosen], weight=balance, label_smoothing=LABEL_SMOOTHING
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return whitening.fold(weight.detach(), bias.detach())


def _whiten(embeddings: Tensor, targets: Tensor, counts: Tensor) -> tuple[Whitening, Tensor]:
    """Give the whitening, and the categories' centres in it, float32 [leaves, d]."""
    dimensions = embeddings.shape[1]
    sums = torch.zeros(len(counts), dimensions, dtype=torch.float64)
    scatter = torch.zeros(dimensions, dimensions, dtype=torch.float64)
    middle = embeddings[: 8 * BATCH].float().mean(dim=0)  # near zero, float32 adds up well
    for start in range(0, len(targets), 8 * BATCH):
        some = embeddings[start : start + 8 * BATCH].float() - middle
        sums.index_add_(0, targets[start : start + 8 * BATCH], some.double())
        scatter += (some.T @ some).double()
    centres = sums / counts.unsqueeze(1)
    within = (scatter - sums.T @ centres) / len(targets)
    variance = within.diagonal().mean().clamp(min=1e-12)
    shrunk = (1 - SHRINKAGE) * within + SHRINKAGE * variance * torch.eye(dimensions).double()
    # with L L' = S, the rows of x inv(L') have the covariance of a sphere
    turn = torch.linalg.inv(torch.linalg.cholesky(shrunk)).T
    mean = centres.mean(dim=0)
    whitening = Whitening((mean + middle).float(), turn.float())
    return whitening, ((centres - mean) @ turn).float()
