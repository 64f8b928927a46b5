import numpy as np
import pytest

from lib.drift.distances import confidence_distance, embedding_distance, mix_distance
from tests.helpers.samples import photos

NIGHTS = 40


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def halves(count: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(seed)
    ours, theirs = photos(rng, count, shift), photos(rng, 600)
    return ours.astype(np.float16), theirs.astype(np.float16)


def test_photos_of_one_kind_are_hardly_ever_told_apart() -> None:
    distances = [embedding_distance(*halves(200, seed)) for seed in range(NIGHTS)]

    assert sum(value > 0 for value in distances) <= 2
    assert max(distances) < 0.1


def test_photos_of_another_kind_are_wholly_apart() -> None:
    assert embedding_distance(*halves(200, 1, shift=20)) > 0.8


def test_where_some_photos_are_of_another_kind_the_distance_is_at_most_their_share() -> None:
    ours, theirs = halves(600, 1)
    ours[:180, 0] += 20

    assert 0.1 < embedding_distance(ours, theirs) < 0.3


def test_confidences_of_one_kind_are_hardly_ever_told_apart() -> None:
    rng = generator()
    drawn = [rng.beta(5, 1, (2, 300)).astype(np.float32) for _ in range(NIGHTS)]

    assert sum(confidence_distance(*pair) > 0 for pair in drawn) <= 2


def test_a_model_that_is_less_sure_than_before_is_seen() -> None:
    rng = generator()
    unsure, sure = (rng.beta(a, 1, 500).astype(np.float32) for a in (1, 5))

    assert confidence_distance(unsure, sure) > 0.3


@pytest.mark.parametrize("categories", [3, 1_000])
def test_mixes_of_one_kind_are_hardly_ever_told_apart(categories: int) -> None:
    rng = generator()
    drawn = [rng.integers(0, categories, (2, 400)).astype(str).tolist() for _ in range(NIGHTS)]

    assert sum(mix_distance(*pair) > 0 for pair in drawn) <= 2


@pytest.mark.parametrize("categories", [3, 1_000])
def test_a_mix_is_at_most_as_far_as_the_share_that_has_moved(categories: int) -> None:
    rng = generator()
    ours, theirs = (rng.integers(0, categories, 2_000).astype(str).tolist() for _ in range(2))
    ours = ["new" if rng.random() < 0.25 else each for each in ours]

    assert 0.1 < mix_distance(ours, theirs) < 0.25


def test_mixes_with_nothing_in_common_are_wholly_apart() -> None:
    assert mix_distance(["a"] * 300, ["b"] * 300) == pytest.approx(1)
