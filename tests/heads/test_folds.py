import torch

from lib.heads.folds import NEVER_HELD_OUT, assign_folds, count_folds

IDS = [f"item-{n}" for n in range(60)]
TARGETS = [n % 3 for n in range(57)] + [3, 3, 4]  # of the last there is one alone


def test_each_category_is_spread_evenly_over_the_folds() -> None:
    folds = assign_folds(IDS, TARGETS, 5)
    for category in range(4):
        mine = folds[torch.tensor(TARGETS) == category]
        counts = torch.bincount(mine, minlength=5)
        assert counts.max() - counts.min() <= 1


def test_the_only_item_of_its_category_is_never_held_out() -> None:
    folds = assign_folds(IDS, TARGETS, 5)
    assert (folds == NEVER_HELD_OUT).nonzero().flatten().tolist() == [59]


def test_whatever_fold_is_held_out_each_category_has_an_item_left() -> None:
    folds = assign_folds(IDS, TARGETS, 5)
    for fold in range(5):
        left = {each for each, held in zip(TARGETS, folds.tolist(), strict=True) if held != fold}
        assert left == {0, 1, 2, 3, 4}


def test_the_same_items_are_in_the_same_folds_whatever_their_order() -> None:
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0)).tolist()
    shuffled = assign_folds([IDS[at] for at in order], [TARGETS[at] for at in order], 5)
    assert shuffled.tolist() == assign_folds(IDS, TARGETS, 5)[order].tolist()


def test_copies_of_a_photo_are_held_out_together() -> None:
    photos = ["one", "two", "one", "three", "one", "two"]
    folds = assign_folds(photos, [0] * 6, 3).tolist()
    assert folds[0] == folds[2] == folds[4]
    assert folds[1] == folds[5]
    assert len({folds[0], folds[1], folds[3]}) == 3


def test_a_category_of_copies_of_one_photo_is_never_held_out() -> None:
    folds = assign_folds(["a", "b", "c", "c"], [0, 0, 1, 1], 2).tolist()
    assert folds[2:] == [NEVER_HELD_OUT, NEVER_HELD_OUT]


def test_few_items_are_dealt_to_more_folds_than_many() -> None:
    assert (count_folds(100), count_folds(299), count_folds(300)) == (10, 10, 5)
