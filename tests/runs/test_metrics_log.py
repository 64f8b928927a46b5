from pathlib import Path

import pytest

from lib.runs import metrics_log as figures
from lib.runs.begin import begin_run
from lib.runs.metrics_log import LINES, Figures, UnitFigures, read_figures, thinned
from lib.runs.receipt import Receipt
from lib.runs.run import Intent, Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

RECEIPT = Receipt(
    unit=0,
    items=10,
    labelled=8,
    errors={"gone": 2},
    decisions={"accept": 8, "error": 2},
    bytes_fetched=1000,
    retries=1,
    fetch_s=0.5,
    decode_s=0.25,
    forward_s=0.125,
    seconds=1.0,
    engine="torch cpu fp32",
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    intent = Intent(job="classify", fingerprint={}, run_file={})
    return begin_run(str(tmp_path), "night", intent, Storage(StorageConfig()))


def test_a_line_has_the_sums_of_all_units(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "EVERY_S", 0)
    sums = UnitFigures(run, items=50, done=20)
    sums.add(RECEIPT)
    sums.add(RECEIPT)

    assert [line["done"] for line in read_figures(run)] == [30, 40]
    last = read_figures(run)[-1]
    assert (last["items"], last["errors"]) == (50, {"gone": 4})
    assert (last["bytes_fetched"], last["retries"], last["fetch_s"]) == (2000, 2, 1.0)


def test_lines_are_written_every_some_seconds_and_at_the_end(run: Run) -> None:
    sums = UnitFigures(run, items=50, done=0)
    for _ in range(5):
        sums.add(RECEIPT)
    sums.close()

    assert [line["done"] for line in read_figures(run)] == [10, 50]


def test_a_try_that_finds_all_done_adds_no_line(run: Run) -> None:
    UnitFigures(run, items=50, done=50).close()

    assert read_figures(run) == []


def test_a_run_that_is_resumed_keeps_its_lines(run: Run) -> None:
    Figures(run).add({"done": 1}, last=True)
    Figures(run).add({"done": 2}, last=True)

    assert [line["done"] for line in read_figures(run)] == [1, 2]


def test_a_run_of_any_length_has_a_bounded_file_with_its_whole_course() -> None:
    every: list[figures.Line] = []
    for number in range(LINES * 5):
        every = thinned([*every, {"done": number}], LINES)

    assert LINES // 2 <= len(every) <= LINES
    assert every[0]["done"] < LINES
    assert every[-1]["done"] == LINES * 5 - 1
    assert [line["done"] for line in every] == sorted(line["done"] for line in every)


def test_a_store_that_is_away_does_not_stop_the_run_and_is_told_of_once_at_its_end(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    lines = Figures(run)
    Path(run.at("metrics.jsonl")).mkdir()  # nothing can be written there now

    lines.add({"done": 1})
    assert not caplog.messages

    lines.add({"done": 2}, last=True)
    [said] = caplog.messages
    assert "metrics.jsonl was not written" in said


def test_a_line_that_could_not_be_written_stands_before_the_next_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "EVERY_S", 0)
    lines = Figures(run)
    place = Path(run.at("metrics.jsonl"))
    place.mkdir()
    lines.add({"done": 1})
    place.rmdir()

    lines.add({"done": 2})

    assert [line["done"] for line in read_figures(run)] == [1, 2]
