import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.heads.adapt import Adaptation, adapt_head, judge_adaptation, recipe_with_more
from lib.heads.recipes import HeadRecipe, fit_head
from lib.models.head import raise_to
from tests.helpers.embedded import LEAVES, WIDTH, draw

FEW = HeadRecipe(kind="closed form", power=0.5, strength=0.9)
MANY = recipe_with_more(FEW)


def right(rows: tuple[Tensor, Tensor], vectors: Tensor, targets: Tensor) -> int:
    said = linear(raise_to(vectors.float(), FEW.power), *rows).argmax(dim=1)
    return int((said == targets).sum())


def test_a_head_of_few_labels_learns_from_photos_without_any() -> None:
    vectors, targets = draw(12, 1)
    unlabelled, _ = draw(2_000, 2)
    unseen, truth = draw(1_000, 3)
    before = fit_head(vectors, targets, LEAVES, FEW)

    after = adapt_head(vectors, targets, unlabelled, before, MANY)

    assert 500 < after.pseudo_labels <= 2_000
    assert right(after.rows, unseen, truth) > right(before, unseen, truth) + 20


def test_photos_of_which_a_head_is_not_sure_change_nothing() -> None:
    vectors, targets = draw(12, 1)
    unsure = torch.zeros(LEAVES, WIDTH), torch.zeros(LEAVES)

    after = adapt_head(vectors, targets, draw(50, 2)[0], unsure, MANY)

    assert after.pseudo_labels == 0
    expected = fit_head(vectors, targets, LEAVES, MANY)
    torch.testing.assert_close(after.rows, expected)


def test_a_label_counts_for_more_than_a_pseudo_label() -> None:
    # both say where the category's centre is: with equal weight it would be midway
    vectors = torch.tensor([[4.0, 1.0], [1.0, 4.0]])
    sure = 100 * torch.eye(2), torch.zeros(2)
    plain = HeadRecipe(kind="closed form", power=1.0, strength=0.5)

    rows = adapt_head(vectors, torch.tensor([0, 1]), torch.tensor([[2.0, 1.0]]), sure, plain).rows

    midway = fit_head(
        torch.tensor([[4.0, 1.0], [2.0, 1.0], [1.0, 4.0]]), torch.tensor([0, 0, 1]), 2, plain
    )
    along = torch.linspace(0, 4, 401)
    points = torch.stack([along, torch.full_like(along, 2.0)], dim=1)

    def border(head: tuple[Tensor, Tensor]) -> float:
        return float(along[(linear(points, *head).argmax(dim=1) == 0).nonzero()[0, 0]])

    labels_alone = fit_head(vectors, torch.tensor([0, 1]), 2, plain.model_copy())
    assert border(midway) < border(rows) < border(labels_alone)


def logits_of(targets: Tensor, wrong: int, sureness: float) -> Tensor:
    said = targets.clone()
    said[:wrong] = (said[:wrong] + 1) % LEAVES
    noise = torch.randn(len(targets), LEAVES, generator=torch.Generator().manual_seed(wrong))
    return sureness * torch.nn.functional.one_hot(said, LEAVES) + noise


def test_what_helps_unseen_items_is_kept_and_said_with_figures() -> None:
    targets = torch.arange(200) % LEAVES
    found = judge_adaptation(logits_of(targets, 60, 6), logits_of(targets, 30, 6), targets, 2_113)
    assert found.kept
    assert found.log_loss < found.log_loss_before
    assert found.right > found.right_before
    assert found.sentence == (
        f"pseudo-labels of 2,113 photos were used for the head: log loss {found.log_loss:.3f} "
        f"instead of {found.log_loss_before:.3f}, and {found.right} instead of "
        f"{found.right_before} of 200 unseen items right"
    )


def test_what_harms_unseen_items_is_refused() -> None:
    targets = torch.arange(200) % LEAVES
    found = judge_adaptation(logits_of(targets, 30, 6), logits_of(targets, 60, 6), targets, 2_113)
    assert not found.kept
    assert found.sentence.startswith("pseudo-labels of 2,113 photos were not used")


def test_surer_but_clearly_less_accurate_is_refused() -> None:
    # one is wrong beyond doubt on 30 of 200, the other by a hair on these and on 20 more
    targets = torch.arange(200) % LEAVES
    truth = torch.nn.functional.one_hot(targets, LEAVES).float()
    other = truth.roll(1, dims=1)
    before, after = 8 * truth, 8 * truth
    before[:30] = 8 * other[:30]
    after[:50] = 8 * truth[:50] + 8.1 * other[:50]

    found = judge_adaptation(before, after, targets, 10)
    assert found.log_loss < found.log_loss_before
    assert not found.kept


def test_without_pseudo_labels_nothing_is_kept() -> None:
    targets = torch.arange(20) % LEAVES
    logits = logits_of(targets, 2, 6)
    found = judge_adaptation(logits, logits, targets, 0)
    assert not found.kept
    assert "changed nothing" in found.sentence


def test_without_items_to_judge_by_nothing_is_kept() -> None:
    nothing = torch.empty(0, LEAVES)
    assert not judge_adaptation(nothing, nothing, torch.empty(0, dtype=torch.int64), 5).kept


def test_one_photo_is_spoken_of_as_one() -> None:
    found = Adaptation(
        pseudo_labels=1, kept=True, items=9, log_loss=0.4, log_loss_before=0.5, right=8,
        right_before=8,
    )  # fmt: skip
    assert found.sentence.startswith("pseudo-labels of 1 photo were used")
