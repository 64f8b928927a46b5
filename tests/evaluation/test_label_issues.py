import numpy as np
import pyarrow as pa
import pytest

from lib.evaluation.label_issues import LabelIssue, find_label_issues
from lib.evaluation.predictions import LEAVES_KEY, PREDICTIONS_SCHEMA, make_predictions
from lib.schemas import ITEM_SCHEMA

LEAVES = ("shirt", "skirt", "shoes")


def found_in(
    labels: list[str], probabilities: np.ndarray, leaves: tuple[str, ...] = LEAVES
) -> list[LabelIssue]:
    rows = [
        {"item_id": str(at), "uri": f"{at}.jpg", "category_id": label}
        for at, label in enumerate(labels)
    ]
    items = pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)
    return find_label_issues(make_predictions(items, leaves, probabilities.astype(np.float32)))


def sure_of(columns: list[int], probability: float = 0.97, leaves: int = 3) -> np.ndarray:
    """Probabilities of a model that is equally sure of each item."""
    found = np.full((len(columns), leaves), (1 - probability) / (leaves - 1))
    found[np.arange(len(columns)), columns] = probability
    return found


def test_a_label_that_a_sure_model_contradicts_is_found_with_what_it_says_instead() -> None:
    truth = [at % 3 for at in range(60)]
    labels = [LEAVES[each] for each in truth]
    labels[7] = "shoes"  # a skirt

    (issue,) = found_in(labels, sure_of(truth, 0.98))

    assert (issue.row, issue.item_id, issue.uri) == (7, "7", "7.jpg")
    assert (issue.given, issue.suggested) == ("shoes", "skirt")
    assert issue.given_probability == pytest.approx(0.01)
    assert issue.suggested_probability == pytest.approx(0.98)
    assert issue.is_very_likely


def test_most_of_the_labels_that_were_changed_are_found_and_come_before_others() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 600)
    labels = truth.copy()
    changed = random.choice(600, 30, replace=False)
    labels[changed] = (labels[changed] + 1) % 3
    # the model is right on 9 of 10, and as sure as that
    says = np.where(random.random(600) < 0.9, truth, random.integers(0, 3, 600))

    issues = found_in([LEAVES[each] for each in labels], sure_of(says.tolist(), 0.93))

    right = {each.row for each in issues} & {*changed.tolist()}
    assert len(right) >= 20
    assert len(issues) <= 90


def test_a_model_that_agrees_with_every_label_finds_nothing() -> None:
    truth = [at % 3 for at in range(30)]

    assert found_in([LEAVES[each] for each in truth], sure_of(truth)) == []


def test_a_category_with_one_item_and_one_without_any_do_not_stop_it() -> None:
    truth = [0] * 20 + [1]
    labels = ["shirt"] * 19 + ["skirt", "skirt"]  # the second last is a shirt

    issues = found_in(labels, sure_of(truth, 0.98))

    assert [each.row for each in issues] == [19]


@pytest.mark.parametrize("items", [0, 1, 2])
def test_of_a_handful_of_items_nothing_is_said(items: int) -> None:
    assert found_in(["shirt"] * items, sure_of([1] * items)) == []


def test_items_labelled_above_the_leaves_and_unknown_probabilities_are_left_out() -> None:
    truth = [at % 3 for at in range(30)]
    labels = [LEAVES[each] for each in truth]
    labels[3] = "clothing"
    probabilities = sure_of(truth)
    probabilities[4] = np.nan

    assert found_in(labels, probabilities) == []


def test_predictions_without_all_probabilities_say_nothing() -> None:
    row = {"item_id": "1", "uri": "1.jpg", "category_id": "shirt", "predicted": "skirt"}
    schema = PREDICTIONS_SCHEMA.with_metadata({LEAVES_KEY: b'["shirt", "skirt"]'})

    assert find_label_issues(pa.Table.from_pylist([row] * 9, schema=schema)) == []
    assert find_label_issues(pa.Table.from_pylist([row] * 9, schema=PREDICTIONS_SCHEMA)) == []
