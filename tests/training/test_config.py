import math

import pytest
from pydantic import ValidationError

from lib.training.balance import class_weights
from lib.training.config import Dials, TrainingConfig, choose_dials, few_steps, rate_factor


@pytest.mark.parametrize("counts", [[500, 20, 3], [1, 1], [10_000, 1], [7, 7, 7, 21]])
def test_weights_have_a_mean_of_1(counts: list[int]) -> None:
    weights = class_weights(counts, balanced=True)
    assert weights is not None
    assert float(weights.mean()) == pytest.approx(1)
    assert len(weights) == len(counts)


def test_the_rarer_a_category_the_more_it_weighs() -> None:
    weights = class_weights([3, 500, 20, 3, 40_000], balanced=True)
    assert weights is not None
    third, common, twenty, third_again, most = weights.tolist()
    assert third == third_again > twenty > common > most > 0


def test_weights_follow_the_effective_number_of_items() -> None:
    weights = class_weights([1, 2], balanced=True)
    assert weights is not None
    assert float(weights[0] / weights[1]) == pytest.approx((1 - 0.999**2) / (1 - 0.999))


@pytest.mark.parametrize("counts", [[100, 100, 100], [100, 299], [5]])
def test_even_categories_are_not_balanced(counts: list[int]) -> None:
    assert class_weights(counts, balanced=None) is None


def test_skewed_categories_are_balanced() -> None:
    assert class_weights([100, 300], balanced=None) is not None


def test_the_run_file_has_the_last_word_on_balancing() -> None:
    assert class_weights([1, 1000], balanced=False) is None
    assert class_weights([10, 10], balanced=True) is not None


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (1000, 0.5), (37, 0.25)])
def test_the_rate_rises_to_its_peak_and_then_falls_to_almost_nothing(
    steps: int, warmup: float
) -> None:
    factors = [rate_factor(step, steps, warmup) for step in range(steps)]
    peak = round(warmup * steps) - 1
    assert factors[peak] == max(factors) == 1
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert 0 < factors[0] <= 1 / (peak + 1)
    assert 0 < factors[-1] < 0.01


@pytest.mark.parametrize("steps", range(1, 8))
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_even_the_shortest_training_moves_at_every_step(steps: int, warmup: float) -> None:
    assert all(0 < rate_factor(step, steps, warmup) <= 1 for step in range(steps))


def dials_of(items: int, *, pretrained: bool = True, **said: object) -> Dials:
    return choose_dials(TrainingConfig.model_validate(said), items, pretrained=pretrained)


def count_steps(dials: Dials, items: int) -> int:
    """Count the steps of a whole training, as one worker alone takes them."""
    return math.ceil(items / dials.batch_size) * dials.passes * dials.epochs


@pytest.mark.parametrize("items", [5, 15, 50, 100, 372, 1_000, 4_000, 20_000, 100_000])
@pytest.mark.parametrize("pretrained", [True, False])
def test_from_5_labels_up_there_are_enough_steps_to_learn(items: int, pretrained: bool) -> None:  # noqa: FBT001  # a parameter of pytest's
    assert count_steps(dials_of(items, pretrained=pretrained), items) >= 150


@pytest.mark.parametrize("items", [5, 50, 500, 5_000])
def test_an_epoch_of_few_items_is_worth_its_checkpoint(items: int) -> None:
    dials = dials_of(items)
    assert count_steps(dials, items) / dials.epochs >= 25


def test_the_more_items_the_larger_a_batch_and_the_fewer_the_passes() -> None:
    found = [dials_of(items) for items in (100, 1_000, 5_000, 20_000, 100_000)]
    batches = [dials.batch_size for dials in found]
    passes = [dials.passes * dials.epochs for dials in found]
    assert batches == sorted(batches)
    assert passes == sorted(passes, reverse=True)
    assert (batches[0], batches[-1], passes[-1]) == (16, 64, 3)


def test_what_a_run_file_says_is_done() -> None:
    config = TrainingConfig(
        epochs=2,
        batch_size=7,
        learning_rate=0.5,
        layer_decay=0.3,
        seed=4,
        balanced_loss=False,
        precision="bf16",
    )
    dials = choose_dials(config, 20, pretrained=True)
    assert (dials.passes, dials.epochs, dials.batch_size) == (1, 2, 7)
    assert (dials.backbone_rate, dials.layer_decay, dials.seed) == (0.5, 0.3, 4)
    assert (dials.balanced_loss, dials.precision) == (False, "bf16")


def test_a_training_of_too_few_steps_is_told_how_many_epochs_are_enough() -> None:
    said = few_steps(dials_of(300, epochs=2), 300)
    assert said
    assert said.startswith("training.epochs is 2, which makes 38 steps of 16 photos")
    assert "set it to 8 or more" in said
    assert few_steps(dials_of(300, epochs=8), 300) is None


@pytest.mark.parametrize("items", [5, 300, 20_000])
def test_what_follows_from_the_data_is_never_too_few_steps(items: int) -> None:
    assert few_steps(dials_of(items), items) is None


def test_only_what_weights_know_is_kept_by_slow_layers_and_frozen_norms() -> None:
    with_weights, without = dials_of(100), dials_of(100, pretrained=False)
    assert with_weights.frozen_norms
    assert with_weights.layer_decay < 1
    assert with_weights.head_rate > with_weights.backbone_rate
    assert not without.frozen_norms
    assert without.layer_decay == 1
    assert without.head_rate == without.backbone_rate


def test_from_scratch_there_are_more_passes() -> None:
    with_weights, without = dials_of(3_000), dials_of(3_000, pretrained=False)
    assert without.passes * without.epochs > 2 * with_weights.passes * with_weights.epochs


@pytest.mark.parametrize("items", [50, 4_000, 50_000])
def test_the_averaged_weights_span_about_a_tenth_of_the_steps(items: int) -> None:
    dials = dials_of(items)
    assert 1 / (1 - dials.averaging) == pytest.approx(count_steps(dials, items) / 10, rel=0.3)


def test_the_average_of_the_shortest_training_is_one_too() -> None:
    assert 0 < dials_of(5, epochs=1).averaging < 1


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": 1e308},
        {"weight_decay": float("nan")},
        {"augmentation": {"light": float("nan")}},
        {"warmup": 0.6},
        {"label_smoothing": 1},
        {"augmentation": {"zoom": 1}},
        {"epoch": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate(change)
