import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.evaluation.calibration import (
    COOLEST,
    HOTTEST,
    Scaling,
    choose_scaling,
    fit_temperature,
    stratified_folds,
)
from lib.evaluation.held_out import Scored, calibrate
from lib.evaluation.reliability import calibration_error, reliability
from lib.labels.decisions import NEVER, Decision
from lib.labels.promises import Accept
from lib.taxonomy.taxonomy import parse_taxonomy


def drawn(items: int = 4000, categories: int = 10) -> tuple[Tensor, Tensor]:
    """Return logits that are exactly as sure as they are right: targets drawn from them."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(items, categories, generator=generator)
    targets = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    return logits, targets


def bools(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 3.0, 15.0, 200.0])
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
    assert COOLEST <= fit_temperature(logits, targets) <= HOTTEST


def test_the_temperature_does_not_change_what_it_is_given() -> None:
    logits, targets = drawn(50)
    kept = logits.clone()
    fit_temperature(logits, targets)
    assert torch.equal(logits, kept)
    assert not logits.requires_grad


def of_a_closed_form_head(items: int) -> tuple[Tensor, Tensor]:
    """Return logits that are a hundred times too sure."""
    logits, targets = drawn(items)
    return 100 * logits, targets


def test_scores_that_are_as_sure_as_they_are_right_are_left_alone() -> None:
    assert choose_scaling(*drawn(300)).scaling.temperature == 1.0


@pytest.mark.parametrize("items", [100, 300])
def test_scores_that_are_far_too_sure_are_cooled(items: int) -> None:
    logits, targets = of_a_closed_form_head(items)
    assert choose_scaling(logits, targets).scaling.temperature == pytest.approx(100, rel=0.3)


@pytest.mark.parametrize("items", [0, 1])
def test_too_few_items_change_no_score(items: int) -> None:
    logits, targets = of_a_closed_form_head(items)
    scaled = choose_scaling(logits, targets)
    assert torch.equal(scaled.scaling.apply(logits), logits.double())
    assert torch.equal(scaled.logits, logits.double())


def test_no_item_is_scaled_by_what_was_fitted_on_it() -> None:
    logits, targets = of_a_closed_form_head(200)
    first = (stratified_folds(targets, 5) == 0).unsqueeze(1)
    before = choose_scaling(logits, targets).logits
    after = choose_scaling(torch.where(first, 3 * logits, logits), targets).logits
    torch.testing.assert_close(after[first[:, 0]], 3 * before[first[:, 0]])


def test_folds_have_every_category_evenly() -> None:
    targets = torch.arange(60) % 3
    folds = stratified_folds(targets, 5)
    assert torch.bincount(5 * targets + folds).tolist() == [4] * 15


def skewed(items: int) -> tuple[Tensor, Tensor]:
    """Return logits of which some columns are too high."""
    logits, targets = drawn(items, 4)
    return logits + torch.tensor([2.0, 0.0, -1.0, 0.0]), targets


def test_of_thousands_of_items_each_category_is_scaled_by_itself_where_that_helps() -> None:
    logits, targets = skewed(2500)
    scaling = choose_scaling(logits, targets).scaling
    assert scaling.offset is not None
    assert (scaling.offset - scaling.offset[1]).tolist() == pytest.approx([-2, 0, 1, 0], abs=0.3)
    assert choose_scaling(logits[:500], targets[:500]).scaling.offset is None
    assert choose_scaling(*drawn(2500, 4)).scaling.offset is None


def test_a_head_that_takes_up_its_scaling_gives_the_calibrated_logits() -> None:
    scaling = Scaling(temperature=1.7, scale=torch.tensor([1.0, 2.0]), offset=torch.ones(2))
    weight, bias, vectors = torch.randn(2, 5), torch.randn(2), torch.randn(9, 5)
    folded = linear(vectors, *scaling.fold(weight, bias)) / scaling.temperature
    expected = scaling.apply(linear(vectors, weight, bias))
    torch.testing.assert_close(folded.double(), expected, rtol=1e-4, atol=1e-4)


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
    logits, targets = drawn(1500, 3)
    calibrated = calibrate(scored(logits * factor, targets), TAXONOMY, Accept(precision=0.8))
    assert calibrated.error_before > 0.1
    assert calibrated.error_after < 0.04
    right = float((logits.argmax(dim=1) == targets).double().mean())
    assert calibrated.evaluation.accuracy == pytest.approx(right)


def test_the_bundles_figures_are_those_of_the_held_out_items() -> None:
    logits, targets = drawn(1000, 3)
    calibrated = calibrate(scored(logits * 5, targets), TAXONOMY, Accept(precision=0.8))
    (leaves,) = (each for each in calibrated.claims if each.decision == Decision.ACCEPT)
    assert calibrated.metrics["validation_items"] == 1000
    assert calibrated.metrics["accepted_share"] == leaves.accepted / 1000
    assert calibrated.metrics["accepted_precision"] == leaves.right / leaves.accepted >= 0.8


@pytest.mark.parametrize("items", [0, 1, 9])
def test_few_held_out_items_promise_nothing(items: int) -> None:
    logits = 4 * torch.eye(3)[torch.arange(items) % 3]
    calibrated = calibrate(scored(logits, torch.arange(items) % 3), TAXONOMY, Accept())
    assert calibrated.coverage == 0
    assert set(calibrated.thresholds.by_category) == {"a", "b", "c", "d"}
    assert set(calibrated.thresholds.by_category.values()) == {NEVER}
    assert calibrated.threshold == NEVER


def test_columns_are_the_taxonomys_leaves_in_order() -> None:
    logits, targets = 5 * torch.eye(3), torch.tensor([0, 1, 1])
    calibrated = calibrate(scored(logits, targets), TAXONOMY, Accept())
    assert [each.category_id for each in calibrated.evaluation.categories] == ["b", "c", "d"]
    assert calibrated.evaluation.confusion == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
