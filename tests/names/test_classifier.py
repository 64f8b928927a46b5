import numpy as np
import pytest

from lib.names.classifier import NameClassifier, fit_names, softmax

KINDS = ("shirt", "shoe", "watch")
COLOURS = ("red", "blue", "green", "black", "white", "grey")
TITLES = [f"{colour} {kind} no {n}" for n in range(4) for colour in COLOURS for kind in KINDS]
TARGETS = np.arange(len(TITLES)) % len(KINDS)


def test_titles_that_were_never_seen_are_told_apart() -> None:
    weights = fit_names(TITLES, TARGETS, 3)
    assert weights

    margins, says = weights.margins(["a purple shirts", "SHOES", "pocket watch", "", None])

    assert margins.argmax(axis=1)[:3].tolist() == [0, 1, 2]
    assert says.tolist() == [True, True, True, False, False]


def test_two_categories_are_told_apart_as_three_are() -> None:
    weights = fit_names(["shirt", "shoe"] * 10, np.array([0, 2] * 10), 3)
    assert weights

    margins, _ = weights.margins(["shirt", "shoe"])

    assert margins.argmax(axis=1).tolist() == [0, 2]
    # a category without a title is never the more likely one
    assert (margins[:, 1] < margins.max(axis=1)).all()


def test_titles_of_one_category_alone_say_nothing() -> None:
    assert fit_names(["shirt", "shoe", ""], np.array([1, 1, 0]), 2) is None
    assert fit_names(["", None], np.array([0, 1]), 2) is None


def test_the_same_titles_give_the_same_weights() -> None:
    one, other = fit_names(TITLES, TARGETS, 3), fit_names(TITLES, TARGETS, 3)
    assert one
    assert other
    assert (one.weight != other.weight).nnz == 0
    assert np.array_equal(one.bias, other.bias)


def test_columns_of_one_leaf_add_up() -> None:
    weights = fit_names(TITLES, TARGETS, 3)
    assert weights
    leaves = ("worn", "shoe")
    merged = NameClassifier(
        weights=weights, category_ids=("worn", "shoe", "worn"), leaves=leaves, temperature=2.0
    )

    found, _ = merged.probabilities(["red shirt", "shoe"])

    apart = softmax(weights.margins(["red shirt", "shoe"])[0] / 2.0)
    assert found == pytest.approx(np.stack([apart[:, 0] + apart[:, 2], apart[:, 1]], axis=1))
