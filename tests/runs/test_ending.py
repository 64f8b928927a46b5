import json
from pathlib import Path

import pytest

from lib.errors import ConflictError, GateError, InputError, StoreError
from lib.runs.begin import begin_run
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.runs.run import Intent, Run
from lib.runs.state import state_of
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

BASE = {"job", "run_id", "state", "sentence", "exit_code", "error", "run", "report"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    intent = Intent(job="classify", fingerprint={}, run_file={})
    return begin_run(str(tmp_path), "night", intent, Storage(StorageConfig()))


def test_it_says_what_the_status_says_and_what_stands_in_the_outcome(run: Run) -> None:
    run.write("report.html", b"")
    run.end({"state": "trained", "sentence": "accuracy 90.0%", "bundle": "b", "accuracy": 0.9})

    told = Ending("train", run).to_json()

    status = state_of(run).to_json()
    assert {key: told[key] for key in status.keys() - {"job"}} == {
        key: status[key] for key in status.keys() - {"job"}
    }
    assert (told["bundle"], told["accuracy"]) == ("b", 0.9)
    assert (told["exit_code"], told["error"]) == (0, None)
    assert (told["run"], told["report"]) == (run.uri, run.at("report.html"))
    json.dumps(told)


def test_a_run_that_fails_says_so_in_the_words_of_its_status(run: Run) -> None:
    error = StoreError("s3://shop: no answer")
    with pytest.raises(StoreError), Heartbeat(run):
        raise error

    told = Ending("classify", run).to_json(error)

    assert (told["state"], told["sentence"]) == ("failed", state_of(run).sentence)
    assert (told["exit_code"], told["error"]) == (1, "s3://shop: no answer")


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (InputError("x"), "failed", 2),
        (GateError("x"), "refused", 3),
        (ConflictError("x"), "conflict", 4),
        (KeyboardInterrupt(), "failed", 130),
    ],
)
def test_what_ends_a_job_before_its_folder_knows_gives_it_its_state(
    run: Run, error: BaseException, state: str, code: int
) -> None:
    for ending in (Ending("classify"), Ending("classify", run)):
        told = ending.to_json(error)

        assert (told["state"], told["exit_code"]) == (state, code)
        assert told.keys() >= BASE


def test_a_folder_that_cannot_be_read_does_not_keep_a_failure_from_being_told(run: Run) -> None:
    run.write("outcome.json", b"{")

    told = Ending("classify", run).to_json(StoreError("no answer"))

    assert (told["run_id"], told["run"]) == ("night", run.uri)
    assert (told["state"], told["error"]) == ("failed", "no answer")


def test_a_job_without_a_run_says_what_it_found(run: Run) -> None:
    ending = Ending("publish", run)
    ending.tell("rolled back", "labels has the rows of version 1 again", version=3)

    told = ending.to_json()

    assert (told["job"], told["state"], told["version"]) == ("publish", "rolled back", 3)
