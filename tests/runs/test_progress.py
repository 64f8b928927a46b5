import io
import math
import re
import time

import pytest

import lib.runs.progress
from lib.runs.progress import ItemProgress, duration, per_second, stage
from tests.helpers.jobs import wait_until


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (math.nan, "unknown time"),
    ],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_where_there_is_no_terminal_each_line_is_plain() -> None:
    stream = io.StringIO()

    with ItemProgress(1500, 500, lambda: 8.0, stream) as progress:
        progress.add(700, 2)
        progress.add(300, 1)

    text = stream.getvalue()
    assert re.search(r"[^\n -~]", text) is None  # no control character but the line's end
    lines = text.splitlines()
    assert [line.split(" items")[0] for line in lines] == ["1,500 of 1,500"]
    assert lines[-1].endswith("3 errors, 0 s left")


def test_a_line_comes_every_some_seconds_though_no_unit_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lib.runs.progress, "EVERY_S", 0.05)
    stream = io.StringIO()

    with ItemProgress(100, 0, lambda: 8.0, stream):
        wait_until(lambda: stream.getvalue().count("\n") >= 2)

    first, second, *_ = stream.getvalue().splitlines()
    assert first.startswith("0 of 100 items, waiting for the first unit, ")
    assert second.startswith("0 of 100 items, waiting for the first unit, ")


def test_one_of_a_kind_has_no_plural() -> None:
    stream = io.StringIO()

    with ItemProgress(1, 0, lambda: 8.0, stream) as progress:
        progress.add(1, 1)

    assert re.fullmatch(r"1 of 1 item, [\d,.]+ items/s, 1 error, 0 s left\n", stream.getvalue())


@pytest.mark.parametrize(
    ("rate", "words"), [(0.04, "0.0"), (0.36, "0.4"), (5.7, "5.7"), (99.9, "99.9"), (1955, "1,955")]
)
def test_a_slow_rate_has_a_decimal(rate: float, words: str) -> None:
    assert per_second(rate) == words


def test_lines_come_seldom() -> None:
    stream = io.StringIO()

    with ItemProgress(100, 0, lambda: 8.0, stream) as progress:
        for _ in range(100):
            progress.add(1, 0)

    assert len(stream.getvalue().splitlines()) == 1


def test_a_stage_says_what_begins_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib.runs.progress, "EVERY_S", 0.05)
    said: list[str] = []

    with stage(said.append, "reading the catalog") as count:
        assert said == ["reading the catalog"]
        wait_until(lambda: len(said) >= 2)
        count(1_200)
        count(34)
        wait_until(lambda: "1,234" in said[-1])

    assert re.fullmatch(r"still reading the catalog, \d\.\d s", said[1])
    assert re.fullmatch(r"still reading the catalog: 1,234 items, \d\.\d s", said[-1])


def test_a_stage_that_has_ended_says_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib.runs.progress, "EVERY_S", 0.05)
    said: list[str] = []

    with pytest.raises(RuntimeError), stage(said.append, "publishing"):
        raise RuntimeError
    time.sleep(0.2)

    assert said == ["publishing"]


def test_a_short_stage_is_said_only_where_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    quick: list[str] = []
    with stage(quick.append, "writing the plan", short=True):
        pass
    assert quick == []

    monkeypatch.setattr(lib.runs.progress, "SHORT_S", 0.05)
    monkeypatch.setattr(lib.runs.progress, "EVERY_S", 0.05)
    said: list[str] = []
    with stage(said.append, "writing the plan", short=True):
        wait_until(lambda: len(said) >= 2)

    assert said[0] == "writing the plan"
    assert said[1].startswith("still writing the plan, ")


def test_a_run_that_fails_does_not_say_it_is_done() -> None:
    stream = io.StringIO()

    with pytest.raises(RuntimeError), ItemProgress(100, 0, lambda: 8.0, stream):
        raise RuntimeError

    assert stream.getvalue() == ""
