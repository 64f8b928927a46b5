"""Answers of people go into the labels table at once, and nothing else of it changes."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.errors import InputError
from lib.labels.annotations import Answer, annotations_of
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import read_bundle
from lib.schemas import LABELS_SCHEMA
from pipelines.current_bundle import CURRENT, find_bundle
from pipelines.publish_answers import publish_answers
from tests.helpers.answers import answer, give
from tests.helpers.catalogs import LOCAL, label_rows, make_bundle

ITEMS = ["a", "b", "c", "d"]
OF_A_PERSON = {"category_id", "category_path", "decision", "error", "error_detail"}

Row = dict[str, Any]


class Desk:
    """A labels table that a bundle has made, and the answers about its items."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, list[str]()
        self.table = LabelsTable(str(folder / "labels"), LOCAL)
        self.bundle = read_bundle(str(folder / "bundle"), LOCAL)

    def write(self, run_id: str, rows: pa.Table, base: int | None) -> int:
        """Publish rows as a run of the bundle that was planned against a version."""
        part = self.folder / f"{run_id}.parquet"
        parquet.write_table(rows, part)
        made = self.bundle.made
        change = Change(run_id=run_id, base=base, parts=[str(part)], removed=None, made=made)
        return self.table.publish(change)

    def labels(self, run_id: str = "run-1", **changes: object) -> pa.Table:
        """Rows as the bundle makes them; of `d` the image is gone."""
        rows = label_rows(ITEMS, run_id, broken=["d"]).to_pylist()
        own = {"bundle_digest": self.bundle.digest, **changes}
        return pa.Table.from_pylist([row | own for row in rows], schema=LABELS_SCHEMA)

    def answer(self, *answers: Row) -> None:
        give(annotations_of(self.table.name), *answers)

    def publish(self) -> int | None:
        return publish_answers(
            self.table.name, annotations_of(self.table.name), LOCAL, "ann", self.said.append
        )

    @property
    def rows(self) -> dict[str, Row]:
        return {row["item_id"]: row for row in self.table.read().to_pylist()}

    @property
    def labelled(self) -> dict[str, tuple[str | None, str]]:
        return {name: (row["category_id"], row["decision"]) for name, row in self.rows.items()}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "bundle"
    make_bundle(str(folder), architecture="squeezenet1_1")
    return folder


@pytest.fixture
def desk(bundle: Path, tmp_path: Path) -> Desk:
    shutil.copytree(bundle, tmp_path / "bundle")
    desk = Desk(tmp_path)
    desk.write("run-1", desk.labels(), None)
    return desk


def test_the_table_shows_what_people_say_and_is_else_as_it_was(desk: Desk) -> None:
    before = desk.rows
    desk.answer(answer("a", "shoes"), answer("b", None), answer("d", "tops"))

    version = desk.publish()

    assert version == 1
    assert desk.labelled == {
        "a": ("shoes", "person"),
        "b": (None, "person"),
        "c": ("shirt", "accept"),
        "d": ("tops", "person"),
    }
    for name, row in desk.rows.items():
        changed = {key for key, value in row.items() if value != before[name][key]}
        assert changed <= OF_A_PERSON
    assert desk.rows["a"]["category_path"] == "Shoes"
    assert desk.rows["d"]["error"] is None
    assert desk.said == [f"3 decided by people; published as version 1 of {desk.table.name}"]


def test_the_history_says_who_has_published_how_many_and_keeps_the_bundle(desk: Desk) -> None:
    desk.answer(answer("a", "shoes"))
    desk.publish()

    newest = desk.table.history()[0]

    assert (newest.made.by, newest.made.did) == ("ann", "1 decided by people")
    assert find_bundle(CURRENT, desk.table, LOCAL).digest == desk.bundle.digest


def test_publishing_again_changes_nothing(desk: Desk) -> None:
    desk.answer(answer("a", "shoes"))
    desk.publish()

    assert desk.publish() is None
    assert desk.table.version() == 1


def test_without_an_answer_nothing_is_published(desk: Desk) -> None:
    assert desk.publish() is None
    desk.answer(answer("a", "shoes", etag="another"))
    assert desk.publish() is None
    assert desk.table.version() == 0


def test_what_is_taken_back_is_again_what_the_model_says(desk: Desk) -> None:
    before = desk.table.read().sort_by("item_id")
    desk.answer(*[answer(each, "shoes") for each in ITEMS])
    desk.publish()
    desk.answer(*[answer(each, None, 2, answer=Answer.WITHDRAWN) for each in ITEMS])

    desk.publish()

    # its threshold is 0.6, and the model was sure of 0.75
    assert desk.table.read().sort_by("item_id").equals(before)
    assert desk.said[-1].startswith("4 back to what the model says; ")


def test_what_is_taken_back_is_for_review_where_its_bundle_is_gone(desk: Desk) -> None:
    desk.write("run-2", desk.labels(run_id="run-2", bundle_digest="c" * 64), 0)
    desk.answer(answer("a", "shoes"))
    desk.publish()
    desk.answer(answer("a", None, 2, answer=Answer.WITHDRAWN))

    desk.publish()

    assert desk.labelled["a"] == ("shirt", "review")


def test_what_is_asked_again_is_for_review(desk: Desk) -> None:
    desk.answer(answer("a", None, answer=Answer.SPLIT), answer("d", None, answer=Answer.SPLIT))
    desk.publish()
    assert desk.labelled["a"] == ("shirt", "review")
    assert desk.labelled["d"] == (None, "error")


def test_an_answer_that_is_given_again_after_a_rollback_is_taken_in_again(desk: Desk) -> None:
    desk.answer(answer("a", "shoes"))
    desk.publish()
    desk.table.roll_back(0)
    assert desk.labelled["a"] == ("shirt", "accept")

    assert desk.publish() == 3
    assert desk.labelled["a"] == ("shoes", "person")


def test_a_run_that_was_under_way_is_published_beside_it_and_the_answers_after_that(
    desk: Desk,
) -> None:
    desk.answer(answer("a", "shoes"))
    desk.publish()

    desk.write("run-2", desk.labels("run-2"), 0)
    assert desk.labelled["a"] == ("shirt", "accept")

    desk.publish()
    assert desk.labelled["a"] == ("shoes", "person")
    assert {row["run_id"] for row in desk.rows.values()} == {"run-2"}


def test_labels_of_people_are_not_lost_with_their_table_of_annotations(desk: Desk) -> None:
    desk.answer(answer("a", "shoes"))
    desk.publish()
    shutil.rmtree(annotations_of(desk.table.name))

    with pytest.raises(InputError) as caught:
        desk.publish()

    assert "no table of annotations here, and 1 label would be lost" in str(caught.value)
    assert desk.labelled["a"] == ("shoes", "person")


def test_without_a_labels_table_there_is_nothing_to_publish_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no labels table here"):
        publish_answers(str(tmp_path / "labels"), str(tmp_path / "said"), LOCAL, "ann", print)
