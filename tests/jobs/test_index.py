import json
from pathlib import Path

from tests.helpers.jobs import run_job, told_by
from tests.helpers.searched import WIDTH, append


def test_each_store_gets_the_indexes_that_it_lacks(tmp_path: Path) -> None:
    append(tmp_path, "one", "a", 30)
    append(tmp_path, "two", "a", 20)

    first = run_job("index", str(tmp_path), "--json")
    again = run_job("index", str(tmp_path), "--json")

    assert first.exit_code == again.exit_code == 0, first.output
    assert f"{tmp_path}/one: 30 embeddings are in 1 index now" in first.stdout
    assert (told_by(first.stdout)["state"], told_by(first.stdout)["indexed"]) == ("indexed", 50)
    assert f"{tmp_path}/two: every file has an index" in again.stdout
    assert told_by(again.stdout)["indexed"] == 0
    (described,) = (tmp_path / "one").glob("*.json")
    assert json.loads(described.read_text())["dimensions"] == WIDTH


def test_a_folder_without_embeddings_is_refused(tmp_path: Path) -> None:
    said = run_job("index", str(tmp_path))

    assert said.exit_code == 2
    assert "there are no embeddings here; `reshelve embed RUN.yaml` makes them" in said.stderr


def test_indexes_of_files_that_are_gone_are_removed(tmp_path: Path) -> None:
    append(tmp_path, "one", "a", 30)
    append(tmp_path, "one", "b", 30)
    run_job("index", str(tmp_path))
    (tmp_path / "one/a.00000.parquet").unlink()

    run_job("index", str(tmp_path))

    (described,) = (tmp_path / "one").glob("*.json")
    assert [each["name"] for each in json.loads(described.read_text())["files"]] == [
        "b.00000.parquet"
    ]
    assert len([*(tmp_path / "one").glob("*.usearch")]) == 1
