"""Scores that mean something: scaling that is kept only where it helps on items it has not seen."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

FOLDS = 5
COOLEST, HOTTEST = 0.01, 1000.0  # temperatures; a closed-form head of few labels asks for hundreds
ENOUGH_FOR_VECTORS = 2_000  # items from which on a scale and an offset per category may be fitted
SURE = 1.0  # standard errors by which the log loss must fall before scores are changed


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """What turns logits into calibrated ones: logits / temperature, times scale, plus offset.

    Attributes:
        temperature: 1 where scores are left as they are.
        scale: float32 [categories], or None for 1.
        offset: float32 [categories], or None for 0.
    """

    temperature: float = 1.0
    scale: Tensor | None = None
    offset: Tensor | None = None

    def apply(self, logits: Tensor) -> Tensor:
        """Return calibrated logits, float64 [n, categories]."""
        cooled = logits.double() / self.temperature
        if self.scale is None or self.offset is None:
            return cooled
        return cooled * self.scale.double() + self.offset.double()

    def fold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return a linear head's weight and bias with scale and offset in them.

        The temperature stays outside: the head's logits are still divided by it.
        """
        if self.scale is None or self.offset is None:
            return weight, bias
        scale, offset = self.scale.to(weight), self.temperature * self.offset.to(bias)
        return weight * scale.unsqueeze(1), bias * scale + offset


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """A scaling, and the logits of each item under one that was fitted on the other folds.

    Attributes:
        scaling: fitted on all items.
        logits: float64 [n, categories].
    """

    scaling: Scaling
    logits: Tensor


def choose_scaling(logits: Tensor, targets: Tensor) -> Scaled:
    """Fit the scaling that lowers the log loss of items it was not fitted on, or leave it.

    A temperature must lower it by more than a standard error of the paired differences. Of
    thousands of items, a scale and an offset per category must do so once more, beside what the
    temperature gives.

    Args:
        logits: float [n, categories] of held-out items.
        targets: int64 [n], their true columns.
    """
    raw = logits.double()
    if len(targets) < 2:
        return Scaled(scaling=Scaling(), logits=raw)
    chosen = Scaled(scaling=Scaling(), logits=raw)
    fitters = [fit_temperature_scaling]
    if len(targets) >= ENOUGH_FOR_VECTORS:
        fitters.append(fit_vector_scaling)
    folds = stratified_folds(targets, FOLDS)
    for fit in fitters:
        crossed = raw.clone()
        for fold in range(FOLDS):
            mine = folds == fold
            if mine.any() and not mine.all():
                crossed[mine] = fit(raw[~mine], targets[~mine]).apply(raw[mine])
        if _lowers_loss(crossed, chosen.logits, targets):
            chosen = Scaled(scaling=fit(raw, targets), logits=crossed)
    return chosen


def stratified_folds(targets: Tensor, folds: int) -> Tensor:
    """Divide items into folds, each category evenly, by the items' order; int64 [n]."""
    order = torch.argsort(targets, stable=True)
    assigned = torch.empty(len(targets), dtype=torch.int64)
    assigned[order] = torch.arange(len(targets)) % folds
    return assigned


def _lowers_loss(logits: Tensor, before: Tensor, targets: Tensor) -> bool:
    gained = cross_entropy(before, targets, reduction="none")
    gained = gained - cross_entropy(logits, targets, reduction="none")
    return bool(gained.mean() > SURE * gained.std() / len(targets) ** 0.5)


def fit_temperature_scaling(logits: Tensor, targets: Tensor) -> Scaling:
    """Return the scaling of `fit_temperature`."""
    return Scaling(temperature=fit_temperature(logits, targets))


def fit_vector_scaling(logits: Tensor, targets: Tensor) -> Scaling:
    """Fit a scale and an offset per category, by cross-entropy (Guo et al. 2017, vector scaling).

    Args:
        logits: float [n, categories] of held-out items.
        targets: int64 [n], their true columns.
    """
    temperature = fit_temperature(logits, targets)
    cooled = logits.double() / temperature
    log_scale, offset = torch.zeros(2, logits.shape[1], dtype=torch.float64).unbind()
    log_scale.requires_grad_()
    offset.requires_grad_()
    optimizer = torch.optim.LBFGS([log_scale, offset], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(cooled * log_scale.exp() + offset, targets, reduction="sum")
        # a prior of one item's weight for each: a category without items stays as the others are
        loss = loss + log_scale.square().sum() + offset.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return Scaling(
        temperature=temperature,
        scale=log_scale.detach().clamp(-3, 3).exp().float(),
        offset=offset.detach().float(),
    )


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Find the temperature that makes held-out confidences match accuracy.

    One parameter, fitted by minimising cross-entropy (Guo et al. 2017, "On Calibration of Modern
    Neural Networks", https://arxiv.org/abs/1706.04599).

    Args:
        logits: float [n, categories] of held-out items.
        targets: int64 [n], their true columns.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415  # only where a model is calibrated

    scores = logits.double()

    def loss(log_temperature: float) -> float:
        found = cross_entropy(scores / math.exp(log_temperature), targets, reduction="sum")
        # a prior of one item's weight: where all items are right, nothing else holds it; weaker
        # for what cools, since a closed-form head may be far too sure
        prior = log_temperature**2
        return float(found) + (prior if log_temperature < 0 else math.log1p(prior))

    ends = math.log(COOLEST), math.log(HOTTEST)
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded").x)
