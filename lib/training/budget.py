"""How many epochs a training has time for."""

import math
import time
from collections.abc import Callable

from lib.errors import ReshelveError
from lib.runs.progress import duration
from lib.training.config import FEWEST_STEPS, Dials

TRIAL_STEPS = 2


class OverBudgetError(ReshelveError):
    """Even the fewest steps that are of use would take longer than a training may."""


def time_step(step: Callable[[], object]) -> float:
    """Return the seconds of a step: the faster of two, since the first one prepares."""
    times = []
    for _ in range(TRIAL_STEPS):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return min(times)


def affordable_epochs(dials: Dials, steps: int, step_s: float, budget_s: float) -> int:
    """Return how many epochs there is time for, at most the dials'.

    Args:
        dials: of the training.
        steps: of one pass.
        step_s: seconds of one step, on the slowest worker.
        budget_s: the most seconds that the training may take.

    Raises:
        OverBudgetError: they are too few to be of use.
    """
    epoch_s = step_s * steps * dials.passes
    fewest = min(math.ceil(FEWEST_STEPS / (steps * dials.passes)), dials.epochs)
    affordable = int(budget_s / epoch_s)
    if affordable < fewest:
        raise OverBudgetError(
            f"fine-tuning would take {duration(epoch_s * fewest)} at least, and has "
            f"{duration(budget_s)} of what 'minutes' allows"
        )
    return min(affordable, dials.epochs)
