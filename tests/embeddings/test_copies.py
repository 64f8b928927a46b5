import numpy as np

from lib.embeddings.copies import BLOCK, join_pairs, near_pairs, same_groups


def test_each_near_pair_is_found_once_also_across_blocks() -> None:
    vectors = np.random.default_rng(2).normal(size=(BLOCK + 9, 32)).astype(np.float16)
    vectors[BLOCK + 3] = vectors[1] * 2
    vectors[7] = vectors[5]

    found = [(pair.first, pair.second) for pair in near_pairs(vectors, 0.99)]

    assert sorted(found) == [(1, BLOCK + 3), (5, 7)]


def test_what_has_no_key_is_in_no_group() -> None:
    assert same_groups(["a", None, "b", "a", None]) == [[0, 3]]


def test_pairs_that_share_a_row_have_one_first_row() -> None:
    assert join_pairs(6, [(4, 2), (2, 1), (5, 4)]) == [0, 1, 1, 3, 1, 1]
