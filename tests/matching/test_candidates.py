import numpy as np

from lib.matching import image_index
from lib.matching.image_index import ImageIndex
from lib.matching.name_index import NameIndex
from lib.matching.name_table import read_names
from lib.matching.weights import Weights
from tests.matching import made


def test_a_title_finds_its_variant_among_thousands() -> None:
    titles = made.products(2_000)
    right = read_names(titles)
    left = read_names([made.variant(title, seed) for seed, title in enumerate(titles)])

    rows, columns = NameIndex(right, Weights.of([right])).nearest(left, 5)

    assert (np.bincount(rows) <= 5).all()
    assert (np.diff(rows) >= 0).all()
    assert len(set(rows[rows == columns])) >= 0.995 * len(titles)


def test_equal_titles_of_common_words_alone_find_each_other() -> None:
    right = read_names([f"blue shoe {number}" for number in range(300)] + ["blue shoe"])

    _, columns = NameIndex(right, Weights.of([right])).nearest(read_names(["Blue shoe"]), 3)

    assert 300 in columns


def test_a_title_that_says_nothing_or_nothing_known_finds_nothing() -> None:
    right = read_names(["blue shoe", "", "👟"])

    rows, _ = NameIndex(right, Weights.of([right])).nearest(read_names(["", "👟", "Стол"]), 3)

    assert len(rows) == 0


def test_a_graph_of_embeddings_finds_nearly_all_that_comparing_with_each_finds() -> None:
    dice = np.random.default_rng(0)
    vectors = dice.normal(size=(3_000, 32)).astype(np.float16)
    noisy = (vectors[:500] + 0.1 * dice.normal(size=(500, 32))).astype(np.float16)
    every = np.arange(3_000)

    def found() -> set[tuple[int, int]]:
        rows, columns = ImageIndex(vectors, every).nearest(noisy, np.arange(500), 5)
        return set(zip(rows.tolist(), columns.tolist(), strict=True))

    exact = found()
    image_index.EXACT, kept = 10, image_index.EXACT
    try:
        near, again = found(), found()
    finally:
        image_index.EXACT = kept

    assert {(row, row) for row in range(500)} <= exact
    assert len(near & exact) >= 0.98 * len(exact)
    assert near == again  # a resumed run has the same


def test_without_embeddings_there_are_no_candidates_by_image() -> None:
    nothing = np.empty((0, 0), np.float16)

    rows, columns = ImageIndex(nothing, np.empty(0, np.int64)).nearest(
        nothing, np.empty(0, np.int64), 5
    )

    assert len(rows) == len(columns) == 0
