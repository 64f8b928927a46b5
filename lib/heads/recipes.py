"""How a head is fitted on embeddings: in closed form, or by logistic regression."""

from typing import Literal

import torch
from torch import Tensor

from lib.config.config import Config
from lib.heads.lda import moments_of
from lib.models.head import raise_to


class HeadRecipe(Config):
    """One way to fit a head."""

    kind: Literal["closed form", "logistic"]
    # embeddings are raised to it first, their sign kept
    power: float
    # the closed form's shrinkage; logistic regression's inverse of regularisation
    strength: float

    def __str__(self) -> str:
        """Name it as a report does."""
        dial = "shrinkage" if self.kind == "closed form" else "C"
        return f"{self.kind}, power {self.power:g}, {dial} {self.strength:g}"


def fit_head(
    vectors: Tensor, targets: Tensor, leaves: int, recipe: HeadRecipe
) -> tuple[Tensor, Tensor]:
    """Fit a head.

    Args:
        vectors: embeddings as they are kept, float16 or float32 [n, d].
        targets: int64 [n], columns of the leaves; each leaf has an item at least.
        leaves: how many there are.
        recipe: how.

    Returns:
        The weight, float32 [leaves, d], and the bias, float32 [leaves], for embeddings that are
        raised to the recipe's power.
    """
    raised = raise_to(vectors.float(), recipe.power)
    if recipe.kind == "closed form":
        return moments_of([raised], targets, leaves).discriminants(shrinkage=recipe.strength)
    return fit_logistic(raised, targets, recipe.strength)


def fit_logistic(vectors: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Fit a head by logistic regression, on embeddings that are raised; as `fit_head`."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  # takes a second

    middle, spread = vectors.mean(dim=0), vectors.std().clamp(min=1e-6)
    scaled = ((vectors - middle) / spread).numpy()
    fitted = LogisticRegression(C=strength, max_iter=300).fit(scaled, targets.numpy())
    weight = torch.from_numpy(fitted.coef_).float()
    bias = torch.from_numpy(fitted.intercept_).float()
    if len(weight) == 1:  # of two leaves, scikit-learn fits the second alone
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    weight = weight / spread
    return weight, bias - weight @ middle
