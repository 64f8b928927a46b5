import numpy as np
import pyarrow as pa
import pytest

from lib.errors import InputError
from lib.evaluation.folds import Embeddings, Ints, Logits, assign_folds, check_enough, out_of_fold

IDS = [f"item-{n}" for n in range(63)]
TARGETS = np.array([n % 3 for n in range(60)] + [3, 3, 3], np.int64)


def test_each_category_is_spread_evenly_over_the_folds() -> None:
    folds = assign_folds(IDS, TARGETS, 5)

    for category in range(4):
        counts = np.bincount(folds[category == TARGETS], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_a_category_with_fewer_items_than_folds_is_held_out_one_by_one() -> None:
    folds = assign_folds(IDS, TARGETS, 5)

    assert len(set(folds[TARGETS == 3].tolist())) == 3


def test_the_same_items_are_in_the_same_folds_whatever_their_order() -> None:
    order = np.random.default_rng(0).permutation(len(IDS))

    shuffled = assign_folds([IDS[at] for at in order], TARGETS[order], 5)

    assert shuffled.tolist() == assign_folds(IDS, TARGETS, 5)[order].tolist()


def test_no_head_sees_the_items_that_it_is_asked_about() -> None:
    embeddings = np.arange(63, dtype=np.float16)[:, None]

    def remember(seen: Embeddings, _: Ints, leaves: int) -> "Remembering":
        return Remembering(set(seen[:, 0].tolist()), leaves)

    class Remembering:
        def __init__(self, seen: set[float], leaves: int) -> None:
            self.seen, self.leaves = seen, leaves

        def __call__(self, asked: Embeddings) -> Logits:
            known = [each in self.seen for each in asked[:, 0].tolist()]
            return np.array([[each] * self.leaves for each in known], np.float32)

    logits = out_of_fold(embeddings, TARGETS, assign_folds(IDS, TARGETS, 5), remember)

    assert logits.shape == (63, 4)
    assert not logits.any()


def test_a_category_with_one_item_is_refused_with_what_to_do() -> None:
    labels = pa.chunked_array([["shirt", "shirt", "skirt"]])

    with pytest.raises(InputError, match="of 'skirt'; 'folds' needs two of each category: label"):
        check_enough(labels, "catalog.csv")
