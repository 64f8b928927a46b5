import numpy as np
import pytest

from lib.names.classifier import NameClassifier, NameWeights, fit_names, softmax
from lib.names.text import NGrams

KINDS = ("shirt", "shoe", "watch")
COLOURS = ("red", "blue", "green", "black", "white", "grey")
TITLES = [f"{colour} {kind} no {n}" for n in range(4) for colour in COLOURS for kind in KINDS]
TARGETS = [row % len(KINDS) for row in range(len(TITLES))]
NGRAMS = NGrams()


def fitted(titles: list[str], targets: list[int], leaves: int = 3) -> NameWeights:
    found = fit_names(NGRAMS.encode(titles), np.array(targets), leaves)
    assert found
    return found


def test_titles_that_were_never_seen_are_told_apart() -> None:
    asked = NGRAMS.encode(["a purple shirts", "SHOES", "pocket watch", "", None])

    margins = fitted(TITLES, TARGETS).margins(asked)

    assert margins.argmax(axis=1)[:3].tolist() == [0, 1, 2]
    assert asked.says.tolist() == [True, True, True, False, False]


def test_two_categories_are_told_apart_as_three_are() -> None:
    weights = fitted(["shirt", "shoe"] * 10, [0, 2] * 10)

    margins = weights.margins(NGRAMS.encode(["shirt", "shoe"]))

    assert margins.argmax(axis=1).tolist() == [0, 2]
    # a category without a title is never the more likely one
    assert (margins[:, 1] < margins.max(axis=1)).all()


def test_titles_of_one_category_alone_say_nothing() -> None:
    assert fit_names(NGRAMS.encode(["shirt", "shoe", ""]), np.array([1, 1, 0]), 2) is None
    assert fit_names(NGRAMS.encode(["", None]), np.array([0, 1]), 2) is None


def test_the_same_titles_give_the_same_weights() -> None:
    one, other = fitted(TITLES, TARGETS), fitted(TITLES, TARGETS)

    assert (one.weight != other.weight).nnz == 0
    assert np.array_equal(one.bias, other.bias)


def test_columns_of_one_leaf_add_up() -> None:
    weights = fitted(TITLES, TARGETS)
    leaves = ("worn", "shoe")
    merged = NameClassifier(
        weights=weights, category_ids=("worn", "shoe", "worn"), leaves=leaves, temperature=2.0
    )

    found, _ = merged.probabilities(["red shirt", "shoe"])

    apart = softmax(weights.margins(NGRAMS.encode(["red shirt", "shoe"])) / 2.0)
    assert found == pytest.approx(np.stack([apart[:, 0] + apart[:, 2], apart[:, 1]], axis=1))
