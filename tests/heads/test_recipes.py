import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import linear

from lib.heads.recipes import HeadRecipe, fit_head
from lib.models.head import raise_to

CLOSED, LOGISTIC = (
    HeadRecipe(kind="closed form", power=0.5, strength=0.3),
    HeadRecipe(kind="logistic", power=0.5, strength=0.01),
)


def draw(leaves: int, count: int = 120, width: int = 20, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Draw embeddings, float16 as a store keeps them, around a centre of each leaf."""
    centres = 2 * torch.randn(leaves, width, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % leaves
    noise = torch.randn(count, width, generator=generator)
    return (centres[targets] + noise).relu().half(), targets


@pytest.mark.parametrize("recipe", [CLOSED, LOGISTIC], ids=str)
@pytest.mark.parametrize("leaves", [2, 5])
def test_a_head_tells_other_items_of_its_categories_apart(recipe: HeadRecipe, leaves: int) -> None:
    weight, bias = fit_head(*draw(leaves), leaves, recipe)
    assert (weight.shape, bias.shape) == ((leaves, 20), (leaves,))
    assert weight.dtype == bias.dtype == torch.float32
    others, truth = draw(leaves, seed=2)
    found = linear(raise_to(others.float(), recipe.power), weight, bias).argmax(dim=1)
    assert (found == truth).float().mean() > 0.95


@pytest.mark.parametrize("leaves", [2, 3])
def test_the_logistic_head_gives_the_probabilities_of_scikit_learn(leaves: int) -> None:
    vectors, targets = draw(leaves)
    raised = raise_to(vectors.float(), 0.5)
    weight, bias = fit_head(vectors, targets, leaves, LOGISTIC)
    scaled = ((raised - raised.mean(dim=0)) / raised.std()).numpy()
    theirs = LogisticRegression(C=0.01, max_iter=300).fit(scaled, targets.numpy())
    ours = torch.softmax(linear(raised, weight, bias), dim=1)
    np.testing.assert_allclose(ours.numpy(), theirs.predict_proba(scaled), atol=1e-4)


def test_the_closed_form_gives_the_labels_of_scikit_learn() -> None:
    vectors, targets = draw(3, width=8)
    raised = raise_to(vectors.float(), 1)
    recipe = HeadRecipe(kind="closed form", power=1, strength=0.3)
    found = linear(raised, *fit_head(vectors, targets, 3, recipe)).argmax(dim=1)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=[1 / 3] * 3)
    expected = theirs.fit(raised.numpy(), targets.numpy()).predict(raised.numpy())
    assert (found.numpy() == expected).mean() > 0.99


def test_a_category_with_one_item_has_a_row_too() -> None:
    vectors, targets = draw(3)
    targets = torch.where(targets == 2, 0, targets)
    targets[5] = 2
    for recipe in (CLOSED, LOGISTIC):
        weight, bias = fit_head(vectors, targets, 3, recipe)
        assert weight.isfinite().all()
        assert bias.isfinite().all()


def test_a_recipe_is_named_with_its_dials() -> None:
    assert str(CLOSED) == "closed form, power 0.5, shrinkage 0.3"
    assert str(LOGISTIC) == "logistic, power 0.5, C 0.01"
