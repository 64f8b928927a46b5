import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, log_loss

from lib.evaluation.assessment import Assessment, assess
from lib.evaluation.predictions import PREDICTIONS_SCHEMA, make_predictions
from lib.schemas import ITEM_SCHEMA
from tests.helpers.catalogs import TAXONOMY

LEAVES = TAXONOMY.leaves  # shirt, knitwear, trousers, skirt, shoes


def items_of(truth: list[str]) -> pa.Table:
    rows = [{"item_id": f"{n}", "uri": f"{n}.jpg", "category_id": t} for n, t in enumerate(truth)]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def said(truth: list[str], predicted: list[str], sure: float = 0.8) -> pa.Table:
    """Predictions that are all as sure, with what is left shared by the other leaves."""
    probabilities = np.full((len(truth), len(LEAVES)), (1 - sure) / (len(LEAVES) - 1), np.float32)
    probabilities[np.arange(len(truth)), [LEAVES.index(each) for each in predicted]] = sure
    return make_predictions(items_of(truth), LEAVES, probabilities)


def decided(rows: list[tuple[str, str, str, str]]) -> pa.Table:
    """Predictions of truth, best leaf, label and decision, as a labels table gives them."""
    return pa.Table.from_pylist(
        [
            {
                "item_id": str(n),
                "uri": f"{n}.jpg",
                "category_id": truth,
                "predicted": predicted,
                "confidence": 0.9,
                "label": label,
                "decision": decision,
            }
            for n, (truth, predicted, label, decision) in enumerate(rows)
        ],
        schema=PREDICTIONS_SCHEMA,
    )


def found(predictions: pa.Table) -> Assessment:
    return assess(predictions, TAXONOMY, "catalog.csv")


RANDOM = np.random.default_rng(0)
TRUTH = [LEAVES[n] for n in RANDOM.integers(0, 4, 80)]  # no shoes
PREDICTED = [
    t if lucky else LEAVES[n]
    for t, lucky, n in zip(TRUTH, RANDOM.random(80) < 0.7, RANDOM.integers(0, 4, 80), strict=True)
]


def test_the_figures_are_those_of_scikit_learn() -> None:
    predictions = said(TRUTH, PREDICTED)

    figures = found(predictions)

    assert figures.accuracy.part == sum(t == p for t, p in zip(TRUTH, PREDICTED, strict=True))
    assert figures.macro_f1.value == pytest.approx(f1_score(TRUTH, PREDICTED, average="macro"))
    by_id = {each.category_id: each.f1.value for each in figures.categories}
    each = f1_score(TRUTH, PREDICTED, average=None, labels=list(by_id))
    assert list(by_id.values()) == pytest.approx(each.tolist())
    assert figures.calibration
    assert figures.calibration.log_loss
    order = sorted(range(5), key=lambda at: LEAVES[at])  # scikit-learn sorts its labels
    probabilities = np.array(predictions["probabilities"].to_pylist())[:, order]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = log_loss(TRUTH, probabilities, labels=sorted(LEAVES))
    assert figures.calibration.log_loss.value == pytest.approx(expected, rel=1e-4)


def test_every_figure_lies_in_its_interval() -> None:
    figures = found(said(TRUTH, PREDICTED))

    assert figures.calibration
    for each in (
        figures.accuracy.share,
        figures.macro_f1,
        figures.hierarchical_f1,
        figures.calibration.error,
        figures.calibration.log_loss,
        figures.calibration.brier,
        *(category.f1 for category in figures.categories),
    ):
        assert each
        assert each.low < each.value < each.high


def test_a_near_miss_counts_for_more_than_a_far_one() -> None:
    near = found(said(["shirt"] * 4, ["shirt", "shirt", "shirt", "knitwear"]))
    far = found(said(["shirt"] * 4, ["shirt", "shirt", "shirt", "shoes"]))

    assert near.accuracy == far.accuracy
    # clothing > tops is shared with knitwear: 3 * 6 + 2 * 2 of 4 * 6
    assert near.hierarchical_f1.value == pytest.approx(22 / 24)
    assert far.hierarchical_f1.value == pytest.approx(18 / (12 + 10))


def test_levels_say_how_far_down_predictions_are_right() -> None:
    figures = found(
        said(["shirt", "shirt", "shirt", "shoes"], ["shirt", "knitwear", "skirt", "shoes"])
    )

    counts = {each.level: (each.right.part, each.right.whole) for each in figures.levels}
    assert counts == {1: (4, 4), 2: (2, 3), 3: (1, 3)}


def test_brier_and_calibration_error_are_nothing_for_a_sure_model_that_is_right() -> None:
    figures = found(said(["shirt", "skirt"], ["shirt", "skirt"], sure=1.0)).calibration

    assert figures
    assert figures.brier
    assert (figures.brier.value, figures.error.value) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_the_calibration_error_is_the_gap_between_stated_and_observed() -> None:
    figures = found(said(["shirt"] * 10, ["shirt"] * 5 + ["skirt"] * 5, sure=0.9)).calibration

    assert figures
    assert figures.error.value == pytest.approx(0.4, abs=1e-6)
    assert [(each.accuracy, each.items) for each in figures.bins] == [(0.5, 10)]


def test_leaves_without_a_labelled_item_are_named() -> None:
    assert found(said(TRUTH, PREDICTED)).unseen == ["shoes"]


def test_decisions_are_counted_with_what_is_right_of_them() -> None:
    figures = found(
        decided(
            [
                ("shirt", "shirt", "shirt", "accept"),
                ("shirt", "skirt", "skirt", "accept"),
                ("shirt", "knitwear", "tops", "parent"),
                ("skirt", "knitwear", "tops", "parent"),
                ("shoes", "shoes", "shoes", "review"),
            ]
        )
    )

    counts = {each.decision: (each.items.part, each.right.part) for each in figures.decisions}
    assert counts == {"accept": (2, 1), "parent": (2, 1), "review": (1, 1)}
    assert figures.calibration is not None
    assert figures.calibration.log_loss is None  # of a table, only the best leaves are known


def test_a_true_label_above_the_leaves_is_met_by_any_leaf_below_it() -> None:
    figures = found(
        decided([("tops", "shirt", "shirt", "accept"), ("tops", "skirt", "skirt", "accept")])
    )

    assert figures.accuracy.part == 1
    assert [each.right.part for each in figures.decisions] == [1]
    assert {each.category_id for each in figures.categories} == {"tops", "skirt"}


def test_no_predictions_give_no_figures() -> None:
    figures = found(PREDICTIONS_SCHEMA.empty_table())

    assert (figures.items, figures.categories, figures.calibration) == (0, [], None)
