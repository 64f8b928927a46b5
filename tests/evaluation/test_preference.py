import torch
from torch import Tensor

from lib.evaluation.held_out import Scored, calibrate
from lib.evaluation.paired import Verdict
from lib.evaluation.preference import Judged, is_better
from lib.labels.promises import Accept
from tests.helpers.catalogs import TAXONOMY

LEAVES = len(TAXONOMY.leaves)


def judged(wrong: int, items: int = 100, *, sureness: float = 4.0, first: int = 0) -> Judged:
    """Judge a model that is wrong about its first items and equally sure of all."""
    targets = torch.arange(items) % LEAVES
    said = targets.clone()
    said[:wrong] = (said[:wrong] + 1) % LEAVES
    logits = sureness * torch.eye(LEAVES)[said]
    return of(logits, targets, first)


def of(logits: Tensor, targets: Tensor, first: int = 0) -> Judged:
    ids = [f"item-{first + n}" for n in range(len(targets))]
    scored = Scored(item_ids=ids, logits=logits, targets=targets, unusable=[], train_items=9)
    return Judged(scored=scored, calibrated=calibrate(scored, TAXONOMY, Accept()))


def test_a_model_that_is_right_clearly_more_often_is_better() -> None:
    better, found = is_better(judged(wrong=5), judged(wrong=25))
    assert better
    assert (found.only_first, found.only_second) == (20, 0)
    assert found.verdict is Verdict.BETTER


def test_a_model_that_is_right_less_often_is_not_better() -> None:
    assert not is_better(judged(wrong=25), judged(wrong=5))[0]


def test_a_model_that_says_the_same_is_not_better() -> None:
    better, found = is_better(judged(wrong=10), judged(wrong=10))
    assert not better
    assert found.verdict is Verdict.SAME


def test_one_item_more_is_no_proof() -> None:
    assert not is_better(judged(wrong=9), judged(wrong=10))[0]


def test_as_often_right_and_surer_where_it_is_right_is_better() -> None:
    targets = torch.arange(200) % LEAVES
    generator = torch.Generator().manual_seed(0)
    wrong = torch.rand(200, generator=generator) < 0.2
    said = torch.where(wrong, (targets + 1) % LEAVES, targets)
    flat = 3 * torch.eye(LEAVES)[said]
    # this one knows where it is likely to be wrong
    knowing = torch.where(wrong, 0.5, 5.0).unsqueeze(1) * torch.eye(LEAVES)[said]
    better, found = is_better(of(knowing, targets), of(flat, targets))
    assert found.difference == 0
    assert better
    assert not is_better(of(flat, targets), of(knowing, targets))[0]


def test_surer_but_less_often_right_is_not_better() -> None:
    targets = torch.arange(200) % LEAVES
    wrong = torch.arange(200) % 5 == 0
    said = torch.where(wrong, (targets + 1) % LEAVES, targets)
    knowing = torch.where(wrong, 0.01, 9.0).unsqueeze(1) * torch.eye(LEAVES)[said]
    other = said.clone()
    other[0] = targets[0]
    flat = 2 * torch.eye(LEAVES)[other]
    assert not is_better(of(knowing, targets), of(flat, targets))[0]


def test_only_items_that_both_were_asked_about_are_compared() -> None:
    _, found = is_better(judged(wrong=5, first=30), judged(wrong=5))
    assert found.items == 70


def test_the_same_items_are_compared_whatever_their_order() -> None:
    simple = judged(wrong=10)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1))
    shuffled = Scored(
        item_ids=[simple.scored.item_ids[n] for n in order.tolist()],
        logits=simple.scored.logits[order],
        targets=simple.scored.targets[order],
        unusable=[],
        train_items=9,
    )
    _, found = is_better(Judged(scored=shuffled, calibrated=simple.calibrated), simple)
    assert (found.only_first, found.only_second, found.items) == (0, 0, 100)
