import json
from pathlib import Path

import pytest

from benchmarks.classify_course import Course
from benchmarks.classify_figures import DISK, LARGE, S3, goals, print_figures, to_figures

KEYS = {
    "steady_ratio",
    "whole_job_ratio",
    "roofline_fraction",
    "label_agreement",
    "accuracy_change",
    "first_shard_s",
    "peak_memory_gib",
    "embeddings_cost",
    "script_ratio",
    "roofline",
    "contests",
    "script_disk_ratio",
    "script_disk_job_ratio",
    "large_steady_ratio",
    "large_script_ratio",
    "large_roofline_fraction",
    "small_night_s",
    "lite0_images_per_s",
}


def row(steady: float, whole_s: float) -> dict[str, float]:
    return {"steady": steady, "whole_s": whole_s, "first_s": 4.0, "peak_memory_gib": 2.0}


def test_the_last_line_has_every_key_where_nothing_could_be_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Course(tmp_path, tmp_path, end=0.0).tell(6000, amx=False)

    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said.keys() >= KEYS
    assert {key for key in KEYS if said[key] is not None} <= {"contests"}


def test_a_rate_is_compared_with_the_best_of_the_others() -> None:
    tables = {S3: {"reshelve": row(200, 40), "ray_data": row(20, 200), "daft_images": row(40, 160)}}

    figures = to_figures(tables, {S3: {"images_per_s": 250}})

    assert figures["steady_ratio"] == 5
    assert figures["whole_job_ratio"] == 4
    assert figures["roofline_fraction"] == 0.8


def test_a_ratio_is_null_where_one_of_those_it_is_over_has_no_row() -> None:
    figures = to_figures({LARGE: {"reshelve": row(50, 40), "ray_data": row(5, 200)}}, {})

    assert figures["large_steady_ratio"] is None


def test_scripts_are_compared_from_disk_at_rate_and_whole_job() -> None:
    figures = to_figures({DISK: {"reshelve": row(200, 40), "dataloader": row(80, 60)}}, {})

    assert figures["script_disk_ratio"] == 2.5
    assert figures["script_disk_job_ratio"] == 1.5


def test_a_figure_that_was_not_measured_is_said_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {"large_script_ratio": None, "small_night_s": None, "steady_ratio": 8.0}

    print_figures(figures, {LARGE: "tuned_script: stopped after its 150 s"}, amx=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].split(maxsplit=2)[1:] == ["null", "tuned_script: stopped after its 150 s"]
    assert lines[-2].endswith("no time was left")
    assert lines[-1].endswith(">= 7")


def test_a_goal_that_is_missed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_figures({"steady_ratio": 8.0, "first_shard_s": 4.0}, {}, amx=True)

    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].endswith(">= 10, missed")
    assert lines[-1].endswith("<= 5")


def test_every_goal_is_of_a_figure() -> None:
    assert goals(amx=True).keys() <= KEYS
