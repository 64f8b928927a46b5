import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from typer.testing import CliRunner

from jobs.__main__ import app
from lib.batches import to_parquet
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.runs.begin import begin_run
from lib.runs.cleanup import find_leftovers
from lib.runs.run import Intent, Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.helpers import catalogs

STORAGE = Storage(StorageConfig())
WEEK = timedelta(days=7)


def make_run(output: Path, run_id: str, *names: str, days_old: float = 30) -> Run:
    """Begin a run some days ago, with files of these names in its folder."""
    run_file = {"labels_table": str(output.parent / "labels")}
    run = begin_run(
        str(output), run_id, Intent(job="classify", fingerprint={}, run_file=run_file), STORAGE
    )
    created = datetime.now(UTC) - timedelta(days=days_old)
    record = run.record.model_copy(update={"created_at": created})
    run.write("run.json", record.model_dump_json().encode())
    for name in names:
        STORAGE.write(run.at(name), b"{}")
    return run


def leftovers(output: Path) -> set[str]:
    found = find_leftovers(str(output), WEEK, STORAGE, Counter())
    return {str(Path(each.uri).relative_to(output)) for each in found}


def test_runs_of_which_nothing_goes_are_counted_by_the_reason(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_run(tmp_path, name, days_old=2)
    make_run(tmp_path, "c", "manifest.json", "labels/part-00000.parquet")

    said = CliRunner().invoke(app, ["clean", str(tmp_path)]).output

    assert "left alone: 2 runs, younger than 7 days" in said
    assert "left alone: 1 run, finished, with nothing to remove" in said
    assert said.splitlines()[-1] == "nothing to remove"


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["clean", str(tmp_path / "nowhere")]).output

    assert said == f"nothing to remove: no run lies in {tmp_path / 'nowhere'}\n"


def test_an_evaluation_of_a_bundle_which_has_no_table_is_no_obstacle(tmp_path: Path) -> None:
    make_run(tmp_path, "night", "manifest.json", "outcome.json")
    intent = Intent(job="evaluate", fingerprint={}, run_file={"labels_table": None})
    begin_run(str(tmp_path), "measured", intent, STORAGE).end({"state": "evaluated"})

    result = CliRunner().invoke(app, ["clean", str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "nothing to remove"


def test_an_old_run_that_never_finished_goes_as_a_whole(tmp_path: Path) -> None:
    make_run(tmp_path, "dead", "plan.parquet", "shards/unit-0000000.parquet")
    assert leftovers(tmp_path) == {"dead"}


def test_a_young_run_is_not_touched(tmp_path: Path) -> None:
    make_run(tmp_path, "young", "shards/unit-0000000.parquet", days_old=2)
    assert leftovers(tmp_path) == set()


def test_of_a_finished_run_only_what_its_parts_stand_for_goes(tmp_path: Path) -> None:
    names = ("manifest.json", "labels/part-00000.parquet", "shards/unit-0000000.parquet")
    make_run(tmp_path, "done", *names, "attempts/unit-0000000", "report.html")
    assert leftovers(tmp_path) == {"done/shards", "done/attempts"}


def test_the_images_pass_of_a_finished_backfill_goes(tmp_path: Path) -> None:
    names = ("manifest.json", "labels/part-00000.parquet", "bundle/bundle.json")
    make_run(tmp_path, "moved", *names, "pixels/shards/unit-0000000.parquet")
    assert leftovers(tmp_path) == {"moved/pixels"}


def test_a_finished_run_that_waits_to_be_published_keeps_its_parts(tmp_path: Path) -> None:
    make_run(tmp_path, "waiting", "manifest.json", "labels/part-00000.parquet")
    assert leftovers(tmp_path) == set()


def test_a_folder_that_is_no_run_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert leftovers(tmp_path) == set()


def test_nothing_is_removed_until_it_is_told_to(tmp_path: Path) -> None:
    output = tmp_path / "runs"
    make_run(output, "dead", "plan.parquet")
    before = catalogs.folder_of(tmp_path)

    said = CliRunner().invoke(app, ["clean", str(output)])
    assert said.exit_code == 0
    assert "would remove" in said.output
    assert catalogs.folder_of(tmp_path) == before

    done = CliRunner().invoke(app, ["clean", str(output), "--delete"])
    assert done.exit_code == 0
    assert catalogs.folder_of(output) == {}


def test_files_that_a_version_of_the_table_points_to_stay(tmp_path: Path) -> None:
    output = tmp_path / "runs"
    table = LabelsTable(str(tmp_path / "labels"), STORAGE)
    for number, run_id in enumerate(("one", "two")):
        run = make_run(output, run_id, "manifest.json", "outcome.json")
        STORAGE.write(run.at("part"), to_parquet(catalogs.label_rows(["a", "b"], run_id)))
        base = None if number == 0 else number - 1
        table.publish(Change(run_id=run_id, base=base, parts=[run.at("part")], removed=None))
    rows = table.read()
    for path in (tmp_path / "labels").rglob("*"):
        long_ago = (datetime.now(UTC) - timedelta(days=60)).timestamp()
        os.utime(path, (long_ago, long_ago))

    result = CliRunner().invoke(app, ["clean", str(output), "--delete"])

    assert result.exit_code == 0, result.output
    assert table.read().equals(rows)
