"""Nights respect what people have said of an image, and count it.

But for one of them, the units are classified in this process, by what an actor of Ray runs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.labels.annotations import Answer, annotations_of
from lib.labels.delta_table import LabelsTable
from lib.runs.metrics_log import UnitFigures
from lib.runs.receipt import Receipt
from tests.helpers import catalogs
from tests.helpers.answers import give, of_row
from tests.helpers.jobs import run_job
from tests.helpers.local_ray import local_ray
from tests.helpers.report_reading import Page
from tests.pipelines.test_classify import MISSING, Night

PICTURES = catalogs.pictures(12)
CLOSED = {"max_error_rate": 0.5, "max_category_changes": 0, "max_mix_shift": 0}

Row = dict[str, Any]


class AnsweredNight(Night):
    """A shop whose nights follow one another, and in which a person answers."""

    def classify(self, run_id: str, *options: str) -> str:
        result = run_job("classify", self.run_file, "--set", f"run_id={run_id}", *options)
        assert result.exit_code == 0, result.output
        return result.output

    @property
    def by_id(self) -> dict[str, Row]:
        return {row["item_id"]: row for row in self.rows.to_pylist()}

    def answer(self, item_id: str, category_id: str | None, number: int = 1, **values: Any) -> None:  # noqa: ANN401  # of any column
        row = of_row(self.by_id[item_id], category_id, number, **values)
        give(annotations_of(self.table_uri), row)

    def other(self, item_id: str) -> str:
        """A leaf that the model has not chosen."""
        return "shoes" if self.by_id[item_id]["category_id"] != "shoes" else "skirt"


def in_this_process(
    job: UnitJob, units: list[int], _: UnitFigures, _ahead: None
) -> Iterator[Receipt]:
    classifier = UnitClassifier(job)
    return map(classifier.run, units)


def night_in(folder: Path) -> AnsweredNight:
    night = AnsweredNight(folder)
    night.prepare(PICTURES, gates={"max_error_rate": 0.5})
    night.classify("first")
    night.write_run_file(gates=CLOSED)
    return night


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnsweredNight:
    monkeypatch.setattr("lib.inference.here.classify_units", in_this_process)
    return night_in(tmp_path)


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_night_on_a_cluster_takes_answers_in(tmp_path: Path) -> None:
    with local_ray():
        night = night_in(tmp_path)
        item_id = next(iter(PICTURES))
        night.answer(item_id, wanted := night.other(item_id))
        night.classify("second")

    row = night.by_id[item_id]
    assert (row["category_id"], row["decision"], row["run_id"]) == (wanted, "person", "second")


def test_a_night_takes_answers_in_keeps_them_and_gives_them_back(night: AnsweredNight) -> None:
    ids, broken = list(PICTURES), "x-empty.jpg"
    before = night.by_id
    said = {ids[0]: night.other(ids[0]), ids[1]: None, broken: "skirt"}
    for item_id, category_id in said.items():
        night.answer(item_id, category_id)

    output = night.classify("second")

    rows = night.by_id
    assert "3 answered" in output
    assert "3 decided by people" in output.splitlines()
    assert {each: (rows[each]["category_id"], rows[each]["decision"]) for each in said} == {
        each: (category_id, "person") for each, category_id in said.items()
    }
    for column in ("confidence", "top_k"):
        assert rows[ids[0]][column] == before[ids[0]][column]
    assert rows[broken]["error"] is None
    assert rows[broken]["error_detail"].endswith("(decided by a person)")
    others = [each for each in before if each not in said and each not in MISSING]
    assert {each: rows[each] for each in others} == {each: before[each] for each in others}
    manifest = catalogs.LOCAL.read(str(night.folder / "runs/second/manifest.json")).decode()
    assert '"person": 3' in manifest
    page = Page((night.folder / "runs/second/report.html").read_text()).text
    assert "3 decided by people" in page
    made = LabelsTable(night.table_uri, catalogs.LOCAL).history()[0].made
    assert made.did.endswith("3 decided by people")

    # nothing is left to do, another bundle's labels do not take their place, nor does a full night
    assert "answered" not in night.classify("third")
    night.classify("fourth", "--full")
    assert night.by_id[ids[0]]["category_id"] == said[ids[0]]

    for item_id in said:
        night.answer(item_id, None, 2, answer=Answer.WITHDRAWN)
    night.write_run_file(gates={"max_error_rate": 0.5})
    night.classify("fifth")
    same = ("category_id", "decision", "error", "error_detail", "confidence", "top_k")
    for each in said:
        assert [night.by_id[each][name] for name in same] == [before[each][name] for name in same]


def test_a_changed_image_is_what_the_model_says_whatever_was_said_of_the_one_before(
    night: AnsweredNight,
) -> None:
    item_id = next(iter(PICTURES))
    night.answer(item_id, night.other(item_id))
    night.classify("second")
    assert night.by_id[item_id]["decision"] == "person"

    files = {**PICTURES, item_id: PICTURES[list(PICTURES)[3]], **catalogs.BROKEN_FILES}
    catalogs.write_catalog(str(night.folder / "images"), files, missing=MISSING)
    night.write_run_file(gates={"max_error_rate": 0.5})
    night.classify("third")

    assert night.by_id[item_id]["decision"] != "person"


def test_a_night_that_is_resumed_respects_the_answers_of_its_plan_and_shows_later_ones_too(
    night: AnsweredNight,
) -> None:
    first, second = list(PICTURES)[:2]
    night.answer(first, wanted := night.other(first))
    night.classify("second", "--no-publish", "--full")
    run = night.folder / "runs/second"
    done = rows_of_run(run)
    # as if it had been killed before its parts were written
    for path in [run / "manifest.json", *(run / "labels").iterdir()]:
        path.unlink()
    night.answer(second, late := night.other(second))

    night.classify("second", "--full")

    assert rows_of_run(run) == done
    assert {row["item_id"] for row in done if row["decision"] == "person"} == {first}
    assert [night.by_id[each]["category_id"] for each in (first, second)] == [wanted, late]


def rows_of_run(run: Path) -> list[Row]:
    found: list[Row] = parquet.read_table(run / "labels").sort_by("item_id").to_pylist()
    return found
