"""The last line of `--json`, of jobs that end at once; others say theirs in tests/pipelines."""

from pathlib import Path

import pytest
import typer

from jobs.ending import ending
from tests.helpers.jobs import run_job, told_by

BROKEN = "broken.yaml"
JOBS = {
    **{
        job: [BROKEN]
        for job in (
            "train",
            "check",
            "discover",
            "classify",
            "backfill",
            "embed",
            "evaluate",
            "publish",
        )
    },
    "clean": ["s3:///no/bucket"],
    "taxonomy diff": [BROKEN, BROKEN],
}
OLD = 'version: "1"\ncategories: [{id: shirt}, {id: t-shirt}, {id: shoes}]\n'
NEW = """\
version: "2"
replaces: {version: "1", merged: {tops: [shirt, t-shirt]}, split: {shoes: [boots, sneakers]}}
categories: [{id: tops}, {id: boots}, {id: sneakers}]
"""


@pytest.mark.parametrize("job", JOBS)
def test_every_job_that_cannot_begin_ends_with_the_object_and_says_the_sentence_as_ever(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(BROKEN).write_text("nonsense: 1\n")

    result = run_job(*job.split(), *JOBS[job], "--json")

    told = told_by(result.stdout)
    assert result.exit_code == told["exit_code"] == 2
    assert result.stderr == f"error: {told['error']}\n"
    assert (told["state"], told["sentence"]) == ("failed", told["error"])
    assert told["job"] == job
    assert told["run_id"] is told["run"] is told["report"] is None


def test_without_the_option_there_is_no_object(tmp_path: Path) -> None:
    assert run_job("train", str(tmp_path / "none.yaml")).stdout == ""


def test_an_unforeseen_error_ends_with_the_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), ending("train", as_json=True):
        _ = 1 / 0

    told = told_by(capsys.readouterr().out)
    assert (told["state"], told["exit_code"]) == ("failed", 1)
    assert told["error"] == "ZeroDivisionError: division by zero"


def test_a_job_that_a_person_stops_ends_with_the_object_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as stopped, ending("train", as_json=True):
        raise KeyboardInterrupt

    told = told_by(capsys.readouterr().out)
    assert stopped.value.exit_code == told["exit_code"] == 130
    assert told["error"] == "stopped by a person"


def test_a_comparison_of_taxonomies_counts_what_each_way_settles(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)

    result = run_job(
        "taxonomy", "diff", str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml"), "--json"
    )

    told = told_by(result.stdout)
    assert (told["state"], told["exit_code"], told["error"]) == ("compared", 0, None)
    assert (told["by_rule"], told["by_model"], told["without_examples"]) == (2, 1, 2)
    assert Path(told["migration"]).exists()


def test_cleaning_counts_what_it_found_and_says_whether_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "runs" / "old" / "run.json").write_text(
        '{"run_id": "old", "job": "classify", "created_at": "2020-01-01T00:00:00Z", '
        '"begun_by": "", "fingerprint": {}, "run_file": {}}'
    )

    listed = told_by(run_job("clean", str(tmp_path / "runs"), "--json").stdout)
    removed = told_by(run_job("clean", str(tmp_path / "runs"), "--json", "--delete").stdout)

    assert (listed["state"], listed["leftovers"]) == ("planned", 1)
    assert (removed["state"], removed["leftovers"]) == ("cleaned", 1)
    assert not (tmp_path / "runs" / "old").exists()
