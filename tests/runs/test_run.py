import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lib.errors import InputError
from lib.runs.begin import open_run
from lib.runs.run import Intent, Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import join

STORAGE = Storage(StorageConfig())
INTENT = Intent(
    job="classify",
    fingerprint={"bundle": "a" * 64, "snapshot": "b" * 64},
    run_file={"catalog": {"uri": "Füße/"}},
)
OTHER = replace(INTENT, fingerprint={"bundle": "c" * 64, "snapshot": "b" * 64})


@pytest.fixture
def output(disk_or_s3: str) -> str:
    """The folder of runs, not there yet, on disk and on S3."""
    return f"{disk_or_s3}/runs"


def begin(output: str, run_id: str | None = None, intent: Intent = INTENT) -> Run:
    return open_run(output, run_id, intent, STORAGE)


def refusal(output: str, run_id: str, intent: Intent) -> str:
    with pytest.raises(InputError) as caught:
        begin(output, run_id, intent)
    return str(caught.value)


def test_a_new_run_has_a_folder_that_says_what_it_is(output: str) -> None:
    run = begin(output)
    assert run.run_id.startswith("classify-")
    assert run.uri == join(output, run.run_id)
    assert not run.resumed
    assert run.outcome is None
    record = run.record
    assert record.run_id == run.run_id
    assert record.job == "classify"
    assert record.fingerprint == INTENT.fingerprint
    assert record.run_file == INTENT.run_file
    assert timedelta(0) <= record.age < timedelta(minutes=1)


def test_an_unfinished_run_is_resumed(output: str) -> None:
    first = begin(output)
    second = begin(output)
    assert second.uri == first.uri
    assert second.resumed
    assert str(second) == f"run {first.run_id} (resumed)"
    assert STORAGE.names(output) == {first.run_id}


def test_an_ended_run_is_not_resumed(output: str) -> None:
    first = begin(output)
    first.end({"status": "published"})
    second = begin(output)
    assert second.run_id != first.run_id
    assert not second.resumed


def test_a_run_with_another_fingerprint_is_not_resumed(output: str) -> None:
    first = begin(output)
    assert begin(output, intent=OTHER).run_id != first.run_id
    assert begin(output).run_id == first.run_id


def test_a_run_of_another_job_is_not_resumed(output: str) -> None:
    first = begin(output)
    assert begin(output, intent=replace(INTENT, job="evaluate")).run_id != first.run_id


def test_the_latest_of_several_unfinished_runs_is_resumed(output: str) -> None:
    for run_id in ("classify-20260101-000000-ffff", "classify-20260102-000000-0000"):
        begin(output, run_id)
    assert begin(output).run_id == "classify-20260102-000000-0000"


def test_a_folder_that_is_no_run_is_passed_over(output: str) -> None:
    STORAGE.write(join(output, "classify-zzz/notes.txt"), b"not a run")
    STORAGE.write(join(output, "classify-zzz.txt"), b"not a run")
    assert not begin(output).resumed


def test_a_given_id_names_the_run(output: str) -> None:
    run = begin(output, "night-42")
    assert run.uri == join(output, "night-42")
    assert not run.resumed
    assert begin(output, "night-42").resumed


def test_a_given_id_of_an_ended_run_gives_its_outcome(output: str) -> None:
    begin(output, "night-42").end({"status": "published"})
    again = begin(output, "night-42")
    assert again.resumed
    assert again.outcome == {"status": "published"}


def test_a_given_id_with_other_inputs_is_refused_and_the_differing_part_is_named(
    output: str,
) -> None:
    begin(output, "night-42")
    message = refusal(output, "night-42", OTHER)
    assert message == (
        f"{output}/night-42: this run was begun with other inputs (bundle was aaaaaaaaaaaa, is now "
        "cccccccccccc); give another run_id, or leave it out to begin a new run"
    )


def test_a_part_that_is_new_or_no_longer_there_differs(output: str) -> None:
    begin(output, "night-42")
    changed = replace(INTENT, fingerprint={"bundle": "a" * 64, "taxonomy": "d" * 64})
    message = refusal(output, "night-42", changed)
    assert "(snapshot was bbbbbbbbbbbb, is now absent; taxonomy was absent, is now" in message


def test_a_refused_run_stays_as_it_was(output: str) -> None:
    run = begin(output, "night-42")
    before = STORAGE.read(run.at("run.json"))
    refusal(output, "night-42", OTHER)
    assert STORAGE.read(run.at("run.json")) == before
    assert STORAGE.names(run.uri) == {"run.json"}


def test_of_many_who_begin_a_given_run_at_once_one_begins_and_the_others_take_it_up(
    output: str,
) -> None:
    start = threading.Barrier(8)

    def at_once(_: int) -> bool:
        start.wait()
        return begin(output, "night-42").resumed

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(at_once, range(8))) == [False] + [True] * 7


def test_the_outcome_is_written_once(output: str) -> None:
    run = begin(output)
    run.end({"status": "first"})
    run.end({"status": "second"})
    assert run.outcome == {"status": "first"}


def test_json_and_tables_read_back_equal(output: str) -> None:
    run, table = begin(output), pa.table({"item_id": ["a", "b"], "size": [1, None]})
    run.write_json("metrics.json", {"name": "Füße", "share": 0.5})
    run.write_table("snapshot.parquet", table)
    assert run.read_json("metrics.json") == {"name": "Füße", "share": 0.5}
    assert run.read_table("snapshot.parquet") == table


def test_a_relative_output_means_the_same_after_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = begin("runs")
    monkeypatch.chdir("/")
    assert run.outcome is None
    assert run.record.run_id == run.run_id
    assert Path(run.uri).parent == tmp_path / "runs"


def test_a_run_that_never_wrote_its_record_is_begun_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "night-42").mkdir()
    assert not begin(str(tmp_path), "night-42").resumed


def test_ids_sort_by_the_time_of_creation(tmp_path: Path) -> None:
    first = begin(str(tmp_path))
    first.end({})
    time.sleep(1.01)  # ids count seconds
    second = begin(str(tmp_path))
    assert first.run_id < second.run_id


def test_the_record_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    run = begin(str(tmp_path))
    text = Path(run.at("run.json")).read_text()
    assert "Füße" in text
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False)
