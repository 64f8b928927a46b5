"""The best head for some labelled embeddings, chosen by cross-validation."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from lib.evaluation.calibration import fit_temperature
from lib.heads.folds import NEVER_HELD_OUT
from lib.heads.lda import discriminants_of_few, moments_of
from lib.heads.recipes import HeadRecipe, fit_head
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
    for fold in range(int(folds.max()) + 1):
        inside, outside = folds == fold, folds != fold
        for recipe, (weight, bias) in _fit_all(vectors[outside], targets[outside], leaves):
            found = logits.setdefault(recipe, torch.full((len(targets), leaves), torch.nan))
            found[inside] = linear(raise_to(vectors[inside].float(), recipe.power), weight, bias)
    candidates = [_measure(recipe, found, targets, folds) for recipe, found in logits.items()]
    return sorted(candidates, key=lambda each: each.log_loss)


def _fit_all(
    vectors: Tensor, targets: Tensor, leaves: int
) -> Iterator[tuple[HeadRecipe, tuple[Tensor, Tensor]]]:
    for power in POWERS:
        raised = raise_to(vectors.float(), power)
        for shrinkage, rows in _fit_closed_forms(raised, targets, leaves):
            yield HeadRecipe(kind="closed form", power=power, strength=shrinkage), rows
        for strength in STRENGTHS if len(targets) <= MOST_FOR_LOGISTIC else ():
            recipe = HeadRecipe(kind="logistic", power=power, strength=strength)
            yield recipe, fit_head(vectors, targets, leaves, recipe)


def _fit_closed_forms(
    raised: Tensor, targets: Tensor, leaves: int
) -> Iterator[tuple[float, tuple[Tensor, Tensor]]]:
    if len(raised) < raised.shape[1]:
        few = discriminants_of_few(raised, targets, leaves, SHRINKAGES_OF_FEW)
        yield from zip(SHRINKAGES_OF_FEW, few, strict=True)
        return
    moments = moments_of([raised], targets, leaves)
    for shrinkage in SHRINKAGES_OF_MANY:
        yield shrinkage, moments.discriminants(shrinkage=shrinkage)


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
