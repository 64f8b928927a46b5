"""Jobs of a desk: only what it was given, one at a time, and what each said is kept."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.desk.config import DeskConfig
from lib.desk.job_log import JobRecord, progress_of, told_by
from lib.desk.job_plans import (
    JobPlan,
    NewBundle,
    backfill_plan,
    classify_plan,
    head_plan,
    publish_plan,
)
from lib.desk.job_runner import JobRunner
from lib.errors import InputError
from tests.helpers.catalogs import LOCAL
from tests.helpers.jobs import wait_until
from tests.helpers.searched import make_shop

CONFIG = DeskConfig.model_validate({"jobs": {"classify": "night.yaml", "backfill": "move.yaml"}})


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[JobRunner]:
    found = JobRunner(str(tmp_path / "runs"), LOCAL, tmp_path / "desk")
    yield found
    found.close()


def ended(runner: JobRunner, job_id: str) -> JobRecord:
    wait_until(lambda: runner.running is None)
    found = runner.find(job_id)
    assert found
    return found


def status_of(folder: Path) -> JobPlan:
    return JobPlan(job="status", title="Look", arguments=(str(folder), "--json"))


def test_a_head_is_published_on_kept_embeddings_and_never_by_a_night() -> None:
    plan = head_plan(CONFIG, NewBundle(uri="heads/1", digest="d"), rehearsal=True)
    assert plan.arguments == (
        "move.yaml", "--set", 'head="heads/1"', "--set", "taxonomy=null",
        "--set", 'bundle="current"', "--dry-run", "--json",
    )  # fmt: skip
    assert (plan.job, plan.of, plan.page) == ("backfill", "d", "/teach")


def test_a_job_that_the_desk_was_not_given_cannot_be_planned() -> None:
    nothing = DeskConfig()
    with pytest.raises(InputError, match=r"jobs\.classify"):
        classify_plan(nothing, rehearsal=True)
    with pytest.raises(InputError, match=r"jobs\.backfill"):
        backfill_plan(nothing, "t.yaml", None, "", rehearsal=True)


def test_a_rehearsal_of_the_night_is_a_dry_run_of_its_run_file() -> None:
    assert classify_plan(CONFIG, rehearsal=True).arguments == ("night.yaml", "--dry-run", "--json")
    assert classify_plan(CONFIG, rehearsal=False).arguments == ("night.yaml", "--json")


def test_the_places_of_a_backfill_are_taken_as_they_are_whatever_they_hold() -> None:
    plan = backfill_plan(CONFIG, 'a: "b" #.yaml', None, "digest", rehearsal=False)
    assert plan.arguments == (
        "move.yaml",
        *("--set", r'taxonomy="a: \"b\" #.yaml"'),
        *("--set", "labelled.examples=null"),
        *("--set", 'bundle="current"'),
        "--json",
    )


def test_a_reason_is_no_option() -> None:
    plan = publish_plan(CONFIG, "/runs/night", ["max_error_rate"], "--json")
    assert plan.arguments == (
        *("/runs/night", "--accept=max_error_rate", "--reason=--json"),
        *("--run-file=night.yaml", "--json"),
    )


def test_how_far_a_job_is_stands_in_its_last_line() -> None:
    found = progress_of(["run night: 5,000 items", "1,200 of 5,000 items, 80 items/s, 0 errors"])
    assert (found.done, found.items) == (1200, 5000)
    assert progress_of(["reading the catalog", ""]).sentence == "reading the catalog"
    assert progress_of([]).sentence == "beginning"


def test_the_object_at_the_end_is_no_line_for_a_person() -> None:
    told, lines = told_by(["a", json.dumps({"state": "planned"}), "warning: b"])
    assert told == {"state": "planned"}
    assert lines == ["a", "warning: b"]


@pytest.mark.processes
def test_a_job_that_ended_shows_its_sentence_and_its_exit_code(
    runner: JobRunner, tmp_path: Path
) -> None:
    begun = runner.start(status_of(tmp_path / "nothing"), "ann")
    found = ended(runner, begun.job_id)
    assert found.exit_code == 2
    assert "there is no run here" in found.sentence
    assert found.by == "ann"
    assert [each.job_id for each in runner.last(5)] == [begun.job_id]


@pytest.mark.processes
def test_another_desk_on_the_same_runs_sees_what_was_done(
    runner: JobRunner, tmp_path: Path
) -> None:
    begun = runner.start(status_of(tmp_path / "nothing"), "ann")
    ended(runner, begun.job_id)
    later = JobRunner(str(tmp_path / "runs"), LOCAL, tmp_path / "later")
    shutil.rmtree(tmp_path / "desk")
    found = later.find(begun.job_id)
    assert found
    assert "there is no run here" in found.sentence


@pytest.mark.processes
def test_one_job_runs_at_a_time_and_is_stopped_as_ctrl_c_does(
    runner: JobRunner, tmp_path: Path
) -> None:
    make_shop(tmp_path)
    file = tmp_path / "desk.yaml"
    file.write_text(f"labels_table: {tmp_path / 'labels'}")
    # of the commands, this one waits until it is ended
    waits = JobPlan(job="desk", title="Wait", arguments=(str(file), "--no-browser", "--port=0"))
    begun = runner.start(waits, "ann")
    with pytest.raises(InputError, match="'Wait' is still running"):
        runner.start(status_of(tmp_path), "bob")
    wait_until(lambda: any("desk: http" in each for each in runner.progress(begun.job_id)[1]))
    runner.stop()
    assert ended(runner, begun.job_id).sentence.startswith("Stopped by a person")


@pytest.mark.parametrize("job_id", ["../../secret", "..", "/etc/passwd", "", "nothing"])
def test_a_job_is_found_by_an_id_that_there_is(
    runner: JobRunner, tmp_path: Path, job_id: str
) -> None:
    (tmp_path / "secret.json").write_text("{}")
    assert runner.find(job_id) is None
