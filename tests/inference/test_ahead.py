"""The process that is started before it is known what there is to classify."""

import psutil
import pytest

from lib.inference.ahead import started_ahead

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]


def test_a_process_is_there_for_as_long_as_it_may_be_of_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("lib.inference.ahead.cores", lambda: 2)
    before = psutil.Process().children()

    with started_ahead() as ahead:
        assert ahead
        (mine,) = set(psutil.Process().children()) - set(before)

    assert not mine.is_running()


def test_none_is_started_where_a_cluster_classifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "localhost:6379")

    with started_ahead() as ahead:
        assert ahead is None


def test_none_is_started_where_no_core_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("lib.inference.ahead.cores", lambda: 1)

    with started_ahead() as ahead:
        assert ahead is None
