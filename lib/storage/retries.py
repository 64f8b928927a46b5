"""Another try for what the store may give a moment later, within a budget."""

import random
import threading
import time

from lib.errors import ReshelveError

ATTEMPTS = 8  # about 13 s of waiting, 25 s at most
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 20.0


class TransientError(Exception):
    """The store did not answer as it should; another try may succeed."""


class Retries:
    """Counts an actor's retries and ends the run when there are too many of them."""

    def __init__(self, budget: int) -> None:
        """Allow `budget` retries in all."""
        self._left = self._told = self._budget = budget
        self._lock = threading.Lock()

    @property
    def spent(self) -> int:
        """Retries so far."""
        return self._budget - self._left

    def take(self) -> int:
        """Retries since this was last asked: they stand in the receipt of one unit."""
        with self._lock:
            count, self._told = self._told - self._left, self._left
        return count

    def wait(self, attempt: int, why: Exception, at_most_s: float = LONGEST_WAIT_S) -> None:
        """Count a retry, and wait before the try after `attempt` (0 the first).

        Raises:
            ReshelveError: the budget is spent: the store is in trouble, and the run stops.
        """
        with self._lock:
            if self._left == 0:
                raise ReshelveError(
                    f"the store keeps failing ({why}); all retries are spent "
                    f"({self._budget:,}, see reading.max_retries). The same command resumes the run"
                )
            self._left -= 1
        pause(attempt, at_most_s)


def pause(attempt: int, at_most_s: float = LONGEST_WAIT_S) -> None:
    """Wait before the try after `attempt` (0 the first): exponential backoff, full jitter.

    As in "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    ceiling = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S, at_most_s)
    time.sleep(random.uniform(0, ceiling))  # noqa: S311  # spreads load, guards nothing
