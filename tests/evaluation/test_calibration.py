import pytest
import torch
from torch import Tensor

from lib.evaluation.calibration import (
    calibration_error,
    choose_threshold,
    fit_temperature,
    reliability,
)
from lib.evaluation.held_out import Scored, calibrate
from lib.taxonomy.taxonomy import parse_taxonomy


def drawn(items: int = 4000, categories: int = 10) -> tuple[Tensor, Tensor]:
    """Return logits that are exactly as sure as they are right: targets drawn from them."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(items, categories, generator=generator)
    targets = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    return logits, targets


def bools(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 3.0, 15.0])
def test_the_temperature_undoes_a_known_factor(factor: float) -> None:
    logits, targets = drawn()
    assert fit_temperature(logits * factor, targets) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("factor", [0.001, 1.0, 1000.0])
@pytest.mark.parametrize("items", [1, 2, 500])
@pytest.mark.parametrize("right", [True, False])
def test_the_temperature_stays_within_bounds_where_all_are_right_or_all_wrong(
    *, right: bool, items: int, factor: float
) -> None:
    logits = drawn(items)[0] * factor
    targets = logits.argmax(dim=1) if right else logits.argmin(dim=1)
    assert 0.05 <= fit_temperature(logits, targets) <= 20.0


def test_the_temperature_does_not_change_what_it_is_given() -> None:
    logits, targets = drawn(50)
    kept = logits.clone()
    fit_temperature(logits, targets)
    assert torch.equal(logits, kept)
    assert not logits.requires_grad


@pytest.mark.parametrize("target", [0.7, 0.8, 0.9, 0.95, 0.99])
def test_the_threshold_reaches_its_precision_with_the_most_items(target: float) -> None:
    logits, targets = drawn(400)
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    correct = predicted == targets
    chosen = choose_threshold(confidence, correct, target)
    accepted = confidence >= chosen.confidence
    assert correct[accepted].double().mean() >= target
    assert chosen.precision == pytest.approx(float(correct[accepted].double().mean()))
    assert chosen.coverage == pytest.approx(float(accepted.double().mean()))
    for lower in confidence[~accepted].unique():
        assert correct[confidence >= lower].double().mean() < target


def test_items_of_equal_confidence_are_accepted_together_or_not_at_all() -> None:
    confidence = torch.tensor([0.9, 0.8, 0.8, 0.8])
    chosen = choose_threshold(confidence, bools(1, 1, 1, 0), 0.95)
    assert [chosen.confidence, chosen.coverage] == pytest.approx([0.9, 0.25])
    chosen = choose_threshold(confidence, bools(1, 0, 1, 1), 0.75)
    assert [chosen.confidence, chosen.precision, chosen.coverage] == pytest.approx([0.8, 0.75, 1])


def test_the_threshold_is_a_confidence_that_some_item_has_to_the_last_bit() -> None:
    logits, targets = drawn(300)
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    chosen = choose_threshold(confidence, predicted == targets, 0.8)
    assert chosen.confidence in confidence.tolist()


def test_a_precision_out_of_reach_accepts_nothing() -> None:
    chosen = choose_threshold(torch.tensor([0.9, 0.8]), bools(0, 1), 0.95)
    assert chosen.confidence > 1
    assert chosen.coverage == 0


def test_where_all_are_right_all_are_accepted() -> None:
    chosen = choose_threshold(torch.tensor([0.4, 0.9, 0.6]), bools(1, 1, 1), 1.0)
    assert [chosen.confidence, chosen.precision, chosen.coverage] == pytest.approx([0.4, 1, 1])


@pytest.mark.parametrize(("right", "coverage"), [(1, 1.0), (0, 0.0)])
def test_a_single_item_decides_alone(right: int, coverage: float) -> None:
    chosen = choose_threshold(torch.tensor([0.6]), bools(right), 0.9)
    assert chosen.coverage == coverage
    assert chosen.confidence == pytest.approx(0.6 if right else 1.0)


def test_bins_hold_every_item_once_and_none_is_empty() -> None:
    confidence = torch.cat([torch.tensor([0.0, 1.0, 1 / 15, 0.5]), drawn()[0][:, 0].sigmoid()])
    bins = reliability(confidence, torch.ones(len(confidence), dtype=torch.bool))
    assert sum(each.items for each in bins) == len(confidence)
    assert all(each.items > 0 for each in bins)
    assert all(each.accuracy == 1 for each in bins)
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)


def test_the_error_is_the_gap_between_stated_and_observed() -> None:
    confidence = torch.tensor([0.75, 0.75, 0.75, 0.75, 0.35])
    bins = reliability(confidence, bools(1, 1, 0, 0, 0))
    assert calibration_error(bins) == pytest.approx((4 * 0.25 + 0.35) / 5)


def test_no_items_have_no_error() -> None:
    assert calibration_error(reliability(torch.zeros(0), bools())) == 0


TAXONOMY = parse_taxonomy(
    "version: 1\ncategories:\n- {id: a, children: [{id: b}, {id: c}]}\n- id: d\n", "taxonomy.yaml"
)


def scored(logits: Tensor, targets: Tensor) -> Scored:
    ids = [str(each) for each in range(len(targets))]
    return Scored(item_ids=ids, logits=logits, targets=targets, unusable=[], train_items=9)


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_calibrating_lowers_the_error_and_changes_no_prediction(factor: float) -> None:
    logits, targets = drawn(4000, 3)
    calibrated = calibrate(scored(logits * factor, targets), TAXONOMY, 0.8)
    assert calibrated.error_before > 0.1
    assert calibrated.error_after < 0.03
    right = float((logits.argmax(dim=1) == targets).double().mean())
    assert calibrated.evaluation.accuracy == pytest.approx(right)


def test_the_bundles_figures_are_those_of_the_held_out_items() -> None:
    logits, targets = drawn(4000, 3)
    calibrated = calibrate(scored(logits * 5, targets), TAXONOMY, 0.8)
    confidence, predicted = (logits * 5 / calibrated.temperature).softmax(dim=1).max(dim=1)
    accepted = confidence >= calibrated.threshold.confidence
    precision = float((predicted == targets)[accepted].double().mean())
    assert calibrated.metrics["validation_items"] == 4000
    assert calibrated.metrics["accepted_share"] == pytest.approx(float(accepted.double().mean()))
    assert calibrated.metrics["accepted_precision"] == pytest.approx(precision)
    assert precision >= 0.8


def test_one_held_out_item_is_enough_to_calibrate_with() -> None:
    calibrated = calibrate(
        scored(torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([0])), TAXONOMY, 0.95
    )
    assert calibrated.metrics["validation_accuracy"] == 1
    assert calibrated.threshold.coverage == 1


def test_columns_are_the_taxonomys_leaves_in_order() -> None:
    calibrated = calibrate(scored(5 * torch.eye(3), torch.tensor([0, 1, 1])), TAXONOMY, 0.5)
    assert [each.category_id for each in calibrated.evaluation.categories] == ["b", "c", "d"]
    assert calibrated.evaluation.confusion == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
