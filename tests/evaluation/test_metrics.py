import numpy as np
import pytest

from lib.evaluation.metrics import evaluate
from lib.taxonomy.taxonomy import parse_taxonomy

TAXONOMY = parse_taxonomy(
    "version: 1\ncategories:\n- {id: a, name: A, children: [{id: b, name: B}, {id: c, name: C}]}\n"
    "- {id: d, name: D}\n- {id: e, name: E}\n",
    "taxonomy.yaml",
)
TRUTH = ["b", "b", "b", "c", "c", "d"]
PREDICTED = ["b", "b", "c", "c", "d", "d"]


def test_accuracy_is_the_share_that_is_right() -> None:
    evaluation = evaluate(TRUTH, PREDICTED, TAXONOMY)
    assert evaluation.items == 6
    assert evaluation.accuracy == pytest.approx(4 / 6)


def test_the_confusion_matrix_has_true_rows_and_predicted_columns() -> None:
    assert evaluate(TRUTH, PREDICTED, TAXONOMY).confusion == [
        [2, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


def test_each_leaf_has_its_own_scores_in_the_taxonomys_order() -> None:
    scores = evaluate(TRUTH, PREDICTED, TAXONOMY).categories
    assert [each.category_id for each in scores] == ["b", "c", "d", "e"]
    assert [each.path for each in scores] == ["A > B", "A > C", "D", "E"]
    assert [each.support for each in scores] == [3, 2, 1, 0]
    assert [each.precision for each in scores] == pytest.approx([1, 1 / 2, 1 / 2, 0])
    assert [each.recall for each in scores] == pytest.approx([2 / 3, 1 / 2, 1, 0])
    assert [each.f1 for each in scores] == pytest.approx([4 / 5, 1 / 2, 2 / 3, 0])


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    random = np.random.default_rng(0)
    leaves = np.array(TAXONOMY.leaves)
    truth, predicted = leaves[random.integers(0, 4, 400)], leaves[random.integers(0, 4, 400)]
    for each in evaluate(truth.tolist(), predicted.tolist(), TAXONOMY).categories:
        mean = 2 * each.precision * each.recall / (each.precision + each.recall)
        assert each.f1 == pytest.approx(mean)


def test_no_items_score_nothing() -> None:
    evaluation = evaluate([], [], TAXONOMY)
    assert (evaluation.items, evaluation.accuracy) == (0, 0)
    assert evaluation.confusion == [[0] * 4] * 4


def test_lists_of_different_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        evaluate(["b", "c"], ["b"], TAXONOMY)
