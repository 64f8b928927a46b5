import pytest

from lib.training.budget import OverBudgetError, affordable_epochs
from lib.training.config import FEWEST_STEPS, TrainingConfig, choose_dials

DIALS = choose_dials(TrainingConfig(epochs=8, batch_size=64), 3_068, pretrained=True)
STEPS = 48  # of a pass


def test_with_time_enough_there_are_as_many_epochs_as_the_dials_say() -> None:
    assert affordable_epochs(DIALS, STEPS, step_s=1.0, budget_s=1e6) == 8


def test_with_less_time_there_are_as_many_as_fit() -> None:
    assert affordable_epochs(DIALS, STEPS, step_s=1.0, budget_s=6.5 * STEPS) == 6


def test_time_for_fewer_steps_than_are_of_use_is_too_little() -> None:
    fewest = -(-FEWEST_STEPS // STEPS)
    assert affordable_epochs(DIALS, STEPS, step_s=1.0, budget_s=fewest * STEPS) == fewest
    with pytest.raises(OverBudgetError, match="would take 3 min 12 s at least, and has 3 min 11 s"):
        affordable_epochs(DIALS, STEPS, step_s=1.0, budget_s=fewest * STEPS - 1)


def test_a_training_that_is_told_to_be_short_may_be() -> None:
    short = DIALS.model_copy(update={"epochs": 1})
    assert affordable_epochs(short, STEPS, step_s=1.0, budget_s=STEPS) == 1
