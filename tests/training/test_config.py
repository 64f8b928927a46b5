import pytest
from pydantic import ValidationError

from lib.training.config import TrainingConfig, class_weights, rate_factor


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


def test_from_scratch_there_is_no_stage_for_the_head_alone() -> None:
    recipe = TrainingConfig(head_epochs=3, epochs=5, backbone_factor=0.1, learning_rate=0.01)
    scratch = recipe.from_scratch()
    assert (scratch.total_epochs, scratch.head_epochs, scratch.backbone_factor) == (5, 0, 1)
    assert scratch.learning_rate == recipe.learning_rate
    assert recipe.total_epochs == 8


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"warmup": 0.6},
        {"label_smoothing": 1},
        {"augmentation": {"zoom": 1}},
        {"epoch": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate(change)
