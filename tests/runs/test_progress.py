import io
import math
import re

import pytest

import lib.runs.progress
from lib.runs.progress import ItemProgress, duration


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


def test_where_there_is_no_terminal_each_line_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib.runs.progress, "EVERY_S", 0.0)
    stream = io.StringIO()

    with ItemProgress(1500, 500, stream) as progress:
        progress.add(700, 2)
        progress.add(300, 1)

    text = stream.getvalue()
    assert re.search(r"[^\n -~]", text) is None  # no control character but the line's end
    lines = text.splitlines()
    assert [line.split(" items")[0] for line in lines] == [
        "1,200 of 1,500",
        "1,500 of 1,500",
        "1,500 of 1,500",
    ]
    assert ["2 errors" in line for line in lines] == [True, False, False]
    assert lines[-1].endswith("3 errors, 0 s left")


def test_lines_come_seldom() -> None:
    stream = io.StringIO()

    with ItemProgress(100, 0, stream) as progress:
        for _ in range(100):
            progress.add(1, 0)

    assert len(stream.getvalue().splitlines()) == 1


def test_before_anything_is_done_the_time_left_is_not_guessed() -> None:
    stream = io.StringIO()

    with ItemProgress(100, 0, stream):
        pass

    assert "unknown time left" in stream.getvalue()


def test_a_run_that_fails_does_not_say_it_is_done() -> None:
    stream = io.StringIO()

    with pytest.raises(RuntimeError), ItemProgress(100, 0, stream):
        raise RuntimeError

    assert stream.getvalue() == ""
