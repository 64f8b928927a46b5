import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.errors import GateError, StoreError
from lib.runs.begin import begin_run
from lib.runs.heartbeat import DEAD_AFTER_S, Beat, Heartbeat, read_beat
from lib.runs.run import Intent, Run
from lib.runs.state import state_of
from lib.runs.status import status_lines
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.helpers import catalogs
from tests.helpers.jobs import run_job, wait_until


def run_of(folder: Path, job: str) -> Run:
    intent = Intent(job=job, fingerprint={}, run_file={})
    return begin_run(str(folder), job, intent, Storage(StorageConfig()))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return run_of(tmp_path, "classify")


def plan_ten_items(run: Run) -> None:
    manifest = catalogs.write_catalog(run.at("images"), catalogs.pictures(10))
    catalogs.write_plan(run, catalogs.read_items(manifest), unit_size=4)


@pytest.mark.parametrize(
    ("job", "finished"),
    [
        ("classify", "shards/unit-0000001.parquet"),
        ("embed", "shards/unit-0000001.parquet"),
        ("backfill", "labels/part-00001.parquet"),
    ],
)
def test_the_state_of_a_run_of_units_is_told_from_its_folder_alone(
    tmp_path: Path, job: str, finished: str
) -> None:
    run = run_of(tmp_path, job)
    assert status_lines(state_of(run))[-1] == "running: begun, nothing done yet"
    plan_ten_items(run)
    run.write(finished, b"")

    result = run_job("status", run.uri)

    assert result.exit_code == 0
    assert f"run {job}: {job}, begun 2" in result.output
    assert "running: under way: 4 of 10 items in 1 of 3 units" in result.output


def test_the_rows_that_a_backfill_classifies_from_their_images_count_too(tmp_path: Path) -> None:
    run = run_of(tmp_path, "backfill")
    plan_ten_items(run)
    for unit in range(3):
        run.write(f"labels/part-{unit:05d}.parquet", b"")
    plan_ten_items(run.within("pixels"))
    run.write("pixels/shards/unit-0000002.parquet", b"")

    state = state_of(run)
    assert state.sentence == "under way: 12 of 20 items in 4 of 6 units"
    assert (state.done, state.items) == (12, 20)


def begun_ago(run: Run, **ago: float) -> None:
    """Write the run's record as if it had been begun some time ago."""
    then = datetime.now(UTC) - timedelta(**ago)
    record = run.record.model_copy(update={"created_at": then})
    run.write("run.json", record.model_dump_json().encode())


def test_a_run_that_was_not_heard_of_for_long_may_have_been_killed(run: Run) -> None:
    begun_ago(run, hours=3)
    line = {"at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds"), "done": 1}
    run.write("metrics.jsonl", f"{json.dumps(line)}\n".encode())

    state = state_of(run)

    assert state.state == "dead"
    assert "nothing was heard of it for 2 h 00 min" in state.sentence


def test_a_run_that_beats_is_running_though_it_has_done_nothing_for_long(run: Run) -> None:
    begun_ago(run, hours=3)
    with Heartbeat(run):
        wait_until(lambda: read_beat(run) is not None)
        assert state_of(run).state == "running"
    beat = read_beat(run)
    assert beat
    assert (beat.pid, beat.host) == (os.getpid(), socket.gethostname())


def test_a_run_that_was_killed_is_dead_once_its_heart_has_stopped_for_long(run: Run) -> None:
    begun_ago(run, hours=3)
    beat = Beat(at=datetime.now(UTC) - timedelta(seconds=DEAD_AFTER_S + 5), host="a", pid=1)
    run.write("heartbeat.json", beat.model_dump_json().encode())

    assert state_of(run).state == "dead"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StoreError("s3://shop: no answer."), "s3://shop: no answer. The command that began it"),
        (KeyError("a"), "KeyError: 'a'. The command that began it resumes it (begun"),
        (KeyboardInterrupt(), "stopped by a person. The command"),
    ],
)
def test_a_run_that_failed_says_why(run: Run, error: BaseException, sentence: str) -> None:
    with pytest.raises(type(error)), Heartbeat(run):
        raise error

    state = state_of(run)

    assert state.state == "failed"
    assert sentence in state.sentence


def test_a_run_that_its_gates_refuse_has_not_failed(run: Run) -> None:
    run.end({"state": "refused", "sentence": "items that are errors are 6.0%"})
    with pytest.raises(GateError), Heartbeat(run):
        raise GateError("refused")

    assert state_of(run).state == "refused"


def test_a_store_that_does_not_answer_does_not_end_a_run_by_its_heartbeat(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the run's folder would be")
    with Heartbeat(Run("lost", str(tmp_path / "file" / "lost"), Storage(StorageConfig()))):
        pass


def test_a_run_that_has_ended_says_how(run: Run) -> None:
    said = {"state": "published", "sentence": "published as version 3 of labels", "version": 3}
    run.end(said)

    state = state_of(run)

    assert status_lines(state)[1] == "published as version 3 of labels"
    assert state.version == 3


def test_a_training_says_its_epoch_and_the_time_that_is_left(tmp_path: Path) -> None:
    run = run_of(tmp_path, "train")
    now = datetime.now(UTC).replace(microsecond=0)
    lines = [
        {"at": (now - timedelta(seconds=60 * (3 - n))).isoformat(), "epoch": n, "epochs": 8}
        for n in (1, 3)
    ]
    run.write("metrics.jsonl", "".join(f"{json.dumps(each)}\n" for each in lines).encode())

    assert state_of(run).sentence == "under way: epoch 3 of 8, 5 min 00 s left"


def test_all_runs_of_a_folder_are_listed_the_newest_first(tmp_path: Path) -> None:
    for hours, job in enumerate(("train", "embed", "classify")):
        begun_ago(run_of(tmp_path, job), hours=9 - hours)
    run_of(tmp_path, "train").end({"state": "trained", "bundle": "b"})
    published = {"state": "published", "sentence": "published", "version": 4}
    run_of(tmp_path, "classify").end(published)
    (tmp_path / "notes.txt").write_text("no run")

    result = run_job("status", str(tmp_path))
    told = json.loads(run_job("status", str(tmp_path), "--json", "--last", "2").output)

    lines = result.output.splitlines()
    assert [line.split()[2:4] for line in lines] == [
        ["classify", "published"], ["embed", "dead"], ["train", "trained"]
    ]  # fmt: skip
    assert "version 4" in lines[0]
    assert all(len(line) <= 80 for line in lines)
    assert [(each["run_id"], each["state"]) for each in told] == [
        ("classify", "published"), ("embed", "dead")
    ]  # fmt: skip


def test_a_run_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = run_job("status", str(tmp_path / "none"))

    assert result.exit_code == 2
    assert "none: there is no run here, and no folder of runs" in result.output


def test_figures_have_no_more_digits_than_a_person_reads(run: Run) -> None:
    line = {"at": "2026-11-27T06:00:00+00:00", "train_loss": 1.6716565170884132, "items": 12000}
    run.write("metrics.jsonl", json.dumps(line | {"images_per_s": 1234.5678}).encode())

    said = run_job("status", run.uri).output

    assert said.endswith(": train_loss 1.672, images_per_s 1,234.6\n")
