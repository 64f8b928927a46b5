"""The best head for some labelled embeddings, chosen by cross-validation."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from lib.evaluation.calibration import fit_temperature
from lib.heads.folds import NEVER_HELD_OUT
from lib.heads.lda import discriminants_of_few, sum_up
from lib.heads.recipes import HeadRecipe, fit_logistic
from lib.models.head import raise_to

# roots even out embeddings that are mostly small (Tukey's ladder of powers; Yang et al. 2021, "Free
# Lunch for Few-shot Learning", https://arxiv.org/abs/2101.06395)
POWERS = (1.0, 0.5, 0.33)
SHRINKAGES_OF_FEW = (0.3, 0.6, 0.8, 0.9, 0.95)
SHRINKAGES_OF_MANY = (0.1, 0.3, 0.6)
STRENGTHS = (0.01,)
# above it, logistic regression takes minutes and the closed form knows all that it could
MOST_FOR_LOGISTIC = 500


@dataclass(frozen=True, kw_only=True)
class HeadCandidate:
    """A recipe under cross-validation.

    Attributes:
        recipe: the recipe.
        logits: float32 [n, leaves] of each item from a head that has not seen it; not a number
            where an item is never held out.
        log_loss: mean over the items in nats, after temperature scaling.
        accuracy: 0 to 1.
    """

    recipe: HeadRecipe
    logits: Tensor
    log_loss: float
    accuracy: float


def choose_head(
    vectors: Tensor, targets: Tensor, folds: Tensor, leaves: int
) -> list[HeadCandidate]:
    """Cross-validate every recipe; the best comes first.

    Args:
        vectors: embeddings as they are kept, float16 [n, d].
        targets: int64 [n], columns of the leaves.
        folds: int64 [n], as `assign_folds` gives them.
        leaves: how many there are.
    """
    logits: dict[HeadRecipe, Tensor] = {}
    for power in POWERS:
        raised = raise_to(vectors.float(), power)
        for inside, recipe, (weight, bias) in _fit_all(raised, power, targets, folds, leaves):
            found = logits.setdefault(recipe, torch.full((len(targets), leaves), torch.nan))
            found[inside] = linear(raised[inside], weight, bias)
    candidates = [_measure(recipe, found, targets, folds) for recipe, found in logits.items()]
    return sorted(candidates, key=lambda each: each.log_loss)


def _fit_all(
    raised: Tensor, power: float, targets: Tensor, folds: Tensor, leaves: int
) -> Iterator[tuple[Tensor, HeadRecipe, tuple[Tensor, Tensor]]]:
    """Yield the items of each fold, a recipe, and the head that it fits on all others."""
    is_few = len(raised) < raised.shape[1]
    whole = None if is_few else sum_up([raised], targets, leaves)
    for fold in range(int(folds.max()) + 1):
        inside, outside = folds == fold, folds != fold
        if whole:
            some = sum_up([raised[inside]], targets[inside], leaves, middle=whole.middle)
            moments = whole.without(some).moments()
            found = [moments.discriminants(shrinkage=each) for each in SHRINKAGES_OF_MANY]
            closed = zip(SHRINKAGES_OF_MANY, found, strict=True)
        else:
            few = discriminants_of_few(raised[outside], targets[outside], leaves, SHRINKAGES_OF_FEW)
            closed = zip(SHRINKAGES_OF_FEW, [*few], strict=True)
        for shrinkage, rows in closed:
            yield inside, HeadRecipe(kind="closed form", power=power, strength=shrinkage), rows
        if int(outside.sum()) <= MOST_FOR_LOGISTIC:
            for strength in STRENGTHS:
                recipe = HeadRecipe(kind="logistic", power=power, strength=strength)
                yield inside, recipe, fit_logistic(raised[outside], targets[outside], strength)


def _measure(recipe: HeadRecipe, logits: Tensor, targets: Tensor, folds: Tensor) -> HeadCandidate:
    judged = folds != NEVER_HELD_OUT
    mine, truth = logits[judged], targets[judged]
    scaled = mine.double() / fit_temperature(mine, truth)
    return HeadCandidate(
        recipe=recipe,
        logits=logits,
        log_loss=float(cross_entropy(scaled, truth)),
        accuracy=float((mine.argmax(dim=1) == truth).double().mean()),
    )
