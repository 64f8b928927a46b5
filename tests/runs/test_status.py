import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.runs.run import Intent, Run, begin_run
from lib.runs.status import status_lines
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.helpers import catalogs
from tests.helpers.jobs import run_job


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
    assert status_lines(run)[-1] == "begun, nothing done yet"
    plan_ten_items(run)
    run.write(finished, b"")

    result = run_job("status", run.uri)

    assert result.exit_code == 0
    assert f"run {job}: {job}, begun 2" in result.output
    assert "under way: 4 of 10 items in 1 of 3 units" in result.output


def test_the_rows_that_a_backfill_classifies_from_their_images_count_too(tmp_path: Path) -> None:
    run = run_of(tmp_path, "backfill")
    plan_ten_items(run)
    for unit in range(3):
        run.write(f"labels/part-{unit:05d}.parquet", b"")
    plan_ten_items(run.within("pixels"))
    run.write("pixels/shards/unit-0000002.parquet", b"")

    assert status_lines(run)[1] == "under way: 12 of 20 items in 4 of 6 units"


def test_a_run_that_was_not_heard_of_for_long_may_have_been_killed(run: Run) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    line = {"at": long_ago.isoformat(timespec="seconds"), "done": 1}
    run.write("metrics.jsonl", f"{json.dumps(line)}\n".encode())

    assert "nothing was heard of it for 2 h 00 min" in status_lines(run)[-1]


def test_a_run_that_has_ended_says_how(run: Run) -> None:
    run.end({"state": "published", "sentence": "published as version 3 of labels"})

    assert status_lines(run)[1] == "ended: published as version 3 of labels"


def test_a_run_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = run_job("status", str(tmp_path / "none"))

    assert result.exit_code == 2
    assert "none/run.json: not found" in result.output
