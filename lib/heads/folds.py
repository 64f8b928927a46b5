"""Folds: each item is held out once, of each category the same share at a time."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

NEVER_HELD_OUT = -1
FEW_ITEMS, FEW_FOLDS, MANY_FOLDS = 300, 5, 10


def assign_folds(item_ids: Sequence[str], targets: Sequence[int], folds: int) -> Tensor:
    """Deal items to folds, by the hashes of their ids: the same ids give the same folds.

    Args:
        item_ids: n ids; copies of one photo are given one id, so that no fold sees another's.
        targets: n categories.
        folds: how many.

    Returns:
        int64 [n], the fold in which an item is held out; `NEVER_HELD_OUT` for the only one of its
        category, without which the others would not know of it.
    """
    by_category: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, (item_id, target) in enumerate(zip(item_ids, targets, strict=True)):
        by_category[target][item_id].append(place)
    found = torch.full((len(item_ids),), NEVER_HELD_OUT)
    dealt = 0
    for _, groups in sorted(by_category.items()):
        if len(groups) == 1:
            continue
        for item_id in sorted(groups, key=lambda each: hashlib.sha256(each.encode()).digest()):
            found[groups[item_id]] = dealt % folds
            dealt += 1
    return found


def count_folds(items: int) -> int:
    """Return how many folds fit so many items: the fewer there are, the more each one counts."""
    return MANY_FOLDS if items < FEW_ITEMS else FEW_FOLDS
