import numpy as np
import pytest

from lib.embeddings.cosine import cosine, unit_length

VECTORS = np.random.default_rng(3).normal(size=(60, 8)).astype(np.float16)


def test_the_cosine_is_the_product_of_what_has_length_one() -> None:
    products = unit_length(VECTORS) @ unit_length(VECTORS[:1] * np.float16(2))[0]

    assert cosine(VECTORS, VECTORS[0]) == pytest.approx(products, abs=1e-6)


def test_of_the_largest_numbers_nothing_is_lost() -> None:
    largest = np.full((1, 1_280), np.finfo(np.float16).max, np.float16)

    assert np.linalg.norm(unit_length(largest)) == pytest.approx(1, abs=1e-3)
    assert cosine(largest, largest[0]) == pytest.approx(1, abs=1e-3)


def test_what_has_no_length_stays_and_is_like_nothing() -> None:
    nothing = np.zeros((2, 8), np.float16)

    assert unit_length(nothing).tolist() == nothing.tolist()
    assert cosine(nothing, VECTORS[0]).tolist() == [-1, -1]
