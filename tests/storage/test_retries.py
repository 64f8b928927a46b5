import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.errors import ReshelveError
from lib.storage.retries import FIRST_WAIT_S, LONGEST_WAIT_S, Retries, TransientError

WHY = TransientError("503 Service Unavailable")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits as they would be, in seconds; nobody waits."""
    found: list[float] = []
    monkeypatch.setattr("lib.storage.retries.time.sleep", found.append)
    return found


def test_each_wait_is_one_retry(waits: list[float]) -> None:
    retries = Retries(10)
    assert retries.spent == 0
    for attempt in range(4):
        retries.wait(attempt, WHY)
    assert retries.spent == len(waits) == 4


def test_a_spent_budget_ends_the_run_with_one_sentence(waits: list[float]) -> None:
    retries = Retries(1)
    retries.wait(0, WHY)
    with pytest.raises(ReshelveError) as caught:
        retries.wait(1, WHY)
    assert str(caught.value) == (
        "the store keeps failing (503 Service Unavailable); all retries are spent (1, see "
        "reading.max_retries). The same command resumes the run"
    )
    assert caught.value.exit_code == 1
    assert retries.spent == len(waits) == 1


def test_a_budget_of_none_allows_no_retry(waits: list[float]) -> None:
    with pytest.raises(ReshelveError):
        Retries(0).wait(0, WHY)
    assert not waits


def test_waits_double_up_to_the_longest(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.storage.retries.random.uniform", lambda _low, high: high)
    retries = Retries(100)
    for attempt in range(12):
        retries.wait(attempt, WHY)
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S


def test_waits_are_spread_from_nothing_to_their_ceiling(waits: list[float]) -> None:
    retries = Retries(1000)
    for _ in range(1000):
        retries.wait(2, WHY)
    ceiling = 4 * FIRST_WAIT_S
    assert min(waits) < 0.05 * ceiling
    assert 0.95 * ceiling < max(waits) <= ceiling


def test_many_threads_spend_the_budget_and_no_more(waits: list[float]) -> None:
    retries, barrier = Retries(100), threading.Barrier(16)

    def wait_ten_times() -> int:
        barrier.wait()
        for done in range(10):
            try:
                retries.wait(0, WHY)
            except ReshelveError:
                return done
        return 10

    with ThreadPoolExecutor(16) as pool:
        done = [pool.submit(wait_ten_times) for _ in range(16)]
        assert sum(each.result() for each in done) == 100
    assert retries.spent == len(waits) == 100
