import torch

from lib.evaluation.held_out import Scored, compare_scored


def scored(ids: range, wrong: set[int]) -> Scored:
    targets = torch.tensor([n % 3 for n in ids])
    said = torch.tensor([(n + (n in wrong)) % 3 for n in ids])
    names = [f"item-{n}" for n in ids]
    logits = torch.eye(3)[said]
    return Scored(item_ids=names, logits=logits, targets=targets, unusable=[], train_items=9)


def test_only_items_that_both_were_asked_about_are_compared_whatever_their_order() -> None:
    found = compare_scored(scored(range(99, 29, -1), {40, 41, 42}), scored(range(80), {42, 43}))

    assert (found.items, found.only_first, found.only_second) == (50, 1, 2)
