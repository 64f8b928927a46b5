import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.heads.choice import MOST_FOR_LOGISTIC, HeadCandidate, choose_head
from lib.heads.folds import NEVER_HELD_OUT, assign_folds
from lib.heads.recipes import fit_head
from lib.models.head import raise_to

LEAVES, WIDTH = 3, 16


def draw(count: int, apart: float = 1.5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    centres = apart * torch.randn(LEAVES, WIDTH, generator=generator)
    targets = torch.arange(count) % LEAVES
    vectors = centres[targets] + torch.randn(count, WIDTH, generator=generator)
    return vectors.relu().half(), targets


def fold(targets: Tensor, count: int = 5) -> Tensor:
    return assign_folds([f"item-{n}" for n in range(len(targets))], targets.tolist(), count)


@pytest.fixture(scope="module")
def candidates() -> list[HeadCandidate]:
    vectors, targets = draw(60)
    return choose_head(vectors, targets, fold(targets), LEAVES)


def test_the_best_comes_first(candidates: list[HeadCandidate]) -> None:
    losses = [each.log_loss for each in candidates]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]
    assert candidates[0].accuracy > 0.8


def test_of_few_items_both_kinds_are_tried(candidates: list[HeadCandidate]) -> None:
    assert {each.recipe.kind for each in candidates} == {"closed form", "logistic"}
    assert len({str(each.recipe) for each in candidates}) == len(candidates)


def test_of_many_items_only_the_closed_form_is_tried() -> None:
    vectors, targets = draw(MOST_FOR_LOGISTIC * 5 // 4 + 30)
    found = choose_head(vectors, targets, fold(targets), LEAVES)
    assert {each.recipe.kind for each in found} == {"closed form"}


@pytest.mark.parametrize("kind", ["closed form", "logistic"])
def test_each_item_is_judged_by_a_head_that_has_not_seen_it(
    candidates: list[HeadCandidate], kind: str
) -> None:
    vectors, targets = draw(60)
    folds = fold(targets)
    found = next(each for each in candidates if each.recipe.kind == kind)
    for number in range(5):
        inside, outside = folds == number, folds != number
        rows = fit_head(vectors[outside], targets[outside], LEAVES, found.recipe)
        expected = linear(raise_to(vectors[inside].float(), found.recipe.power), *rows)
        torch.testing.assert_close(found.logits[inside], expected, rtol=1e-3, atol=1e-2)


def test_labels_that_mean_nothing_are_not_made_to_look_known() -> None:
    vectors, targets = draw(120, apart=0)
    found = choose_head(vectors, targets, fold(targets), LEAVES)
    assert found[0].accuracy < 0.55
    assert found[0].log_loss > 0.9  # nothing known is log 3 = 1.10


def test_an_item_that_is_never_held_out_judges_nothing() -> None:
    vectors, targets = draw(60)
    lonely = torch.where(targets == 2, 0, targets)
    lonely[7] = 2
    folds = fold(lonely)
    assert folds[7] == NEVER_HELD_OUT
    best = choose_head(vectors, lonely, folds, LEAVES)[0]
    assert best.logits[7].isnan().all()
    judged = folds != NEVER_HELD_OUT
    assert best.logits[judged].isfinite().all()
    right = best.logits[judged].argmax(dim=1) == lonely[judged]
    assert best.accuracy == pytest.approx(float(right.double().mean()))


def test_fewer_items_than_values_are_no_trouble() -> None:
    vectors, targets = draw(9)
    found = choose_head(vectors, targets, fold(targets, 10), LEAVES)
    assert all(each.logits.isfinite().all() for each in found)
