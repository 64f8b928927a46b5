import pytest
import torch
from torch import Tensor

from lib.heads.folds import assign_folds
from lib.heads.learning_curve import MOST_FITTED, learning_curve
from lib.heads.recipes import HeadRecipe

CLOSED = HeadRecipe(kind="closed form", power=1.0, strength=0.3)
LOGISTIC = HeadRecipe(kind="logistic", power=1.0, strength=0.03)


def blobs(counts: list[int], spread: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings around a centre per category, their columns and their folds."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    centres = torch.randn(len(counts), 16, generator=generator)
    noise = torch.randn(len(targets), 16, generator=generator)
    ids = [str(each) for each in range(len(targets))]
    folds = assign_folds(ids, targets.tolist(), 5)
    return (centres[targets] + spread * noise).half(), targets, folds


@pytest.mark.parametrize("recipe", [CLOSED, LOGISTIC], ids=str)
def test_the_curve_is_measured_with_parts_of_the_labels_and_rises(recipe: HeadRecipe) -> None:
    found = learning_curve(*blobs([40] * 8, 2.0), 8, recipe)

    assert found is not None
    overall = found.overall
    assert overall.labels_now == 40
    assert overall.labels.tolist() == [8, 16, 24, 32]  # of the 32 outside of a fold
    assert overall.whole.tolist() == [320] * 4
    assert overall.right[-1] > overall.right[0]
    assert overall.law.accuracy(160).value > overall.right[-1] / 320


def test_each_category_has_a_curve_of_its_own() -> None:
    vectors, targets, folds = blobs([50, 50, 50])
    # the second is made of the same photos as the third
    vectors[50:100] = vectors[100:150] + 0.01 * torch.randn(50, 16).half()

    found = learning_curve(vectors, targets, folds, 3, CLOSED)

    assert found is not None
    easy, hard, _ = found.recall
    assert easy
    assert hard
    assert easy.right[-1] / easy.whole[-1] > 0.9
    assert hard.right[-1] / hard.whole[-1] < 0.8
    assert hard.needed(0.95) is None


def test_a_category_with_one_item_or_none_has_no_recall_and_stops_nothing() -> None:
    vectors, targets, folds = blobs([20, 1, 20])

    found = learning_curve(vectors, targets, folds, 4, CLOSED)

    assert found is not None
    assert [each is None for each in found.recall] == [False, True, False, True]
    assert found.precision[3] is None


def test_one_category_alone_has_nothing_to_learn() -> None:
    assert learning_curve(*blobs([20, 1]), 2, CLOSED) is None


def test_of_many_items_fewer_folds_are_tried() -> None:
    each = MOST_FITTED // 4
    found = learning_curve(*blobs([each, each]), 2, CLOSED)

    assert found is not None
    assert found.overall.whole[-1] == pytest.approx(2 * each * 2 / 5, rel=0.01)  # two folds of five
