"""An answer that was confirmed is in the table, and is shown from then on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lib.desk.answers import Answers, Given
from lib.desk.reservations import RESERVED_S, Reservations
from lib.errors import InputError, StoreError
from lib.labels.annotations import Answer
from lib.labels.annotations_table import AnnotationsTable
from tests.helpers import catalogs
from tests.helpers.desks import Served

ITEM = {
    "item_id": "a", "uri": "s3://shop/a", "etag": "1", "category_id": "shirt",
    "decision": "review", "confidence": 0.5,
}  # fmt: skip


def given(category_id: str = "skirt", key: str = "k") -> Given:
    return Given(answer=Answer.CATEGORY, category_id=category_id, by="ann", why="queue", key=key)


def annotation(number: int) -> dict[str, Any]:
    return given(key=str(number)).of({**ITEM, "item_id": f"item-{number}"}, catalogs.TAXONOMY)


def test_an_answer_tells_what_the_item_was_labelled() -> None:
    found = given().of(ITEM, catalogs.TAXONOMY)
    assert found["category_id"] == "skirt"
    assert found["previous_category_id"] == "shirt"
    assert found["previous_decision"] == "review"
    assert found["taxonomy_version"] == "7"
    assert found["at"] <= datetime.now(UTC)


@pytest.mark.parametrize("category_id", ["hat", "tops"])
def test_an_answer_is_a_category_that_items_can_have(category_id: str) -> None:
    with pytest.raises(InputError, match=f"'{category_id}' is no category that items can have"):
        given(category_id).of(ITEM, catalogs.TAXONOMY)


def test_the_answers_of_many_people_at_once_are_all_there_when_they_are_confirmed(
    tmp_path: Path,
) -> None:
    table = AnnotationsTable(str(tmp_path / "annotations"), catalogs.LOCAL)
    answers = Answers(table, lambda *_: None)
    with ThreadPoolExecutor(20) as people:
        versions = list(people.map(lambda n: answers.give([annotation(n)]), range(60)))
    answers.close()
    found = table.read()["item_id"].to_pylist()
    assert sorted(found) == sorted(f"item-{n}" for n in range(60))
    assert len(set(versions)) < 60  # those who waited together shared a commit


def test_who_gives_an_answer_learns_that_it_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "annotations").write_text("no folder")
    table = AnnotationsTable(str(tmp_path / "annotations"), catalogs.LOCAL)
    answers = Answers(table, lambda *_: None)
    with pytest.raises((InputError, StoreError)):
        answers.give([annotation(1)])
    answers.close()


def test_where_files_cannot_be_put_together_the_next_answer_is_taken_all_the_same(
    tmp_path: Path,
) -> None:
    class Away(AnnotationsTable):
        """A table whose store is away whenever nobody waits for it."""

        def put_together(self) -> int | None:
            raise StoreError("the store does not answer")

    answers = Answers(Away(str(tmp_path / "annotations"), catalogs.LOCAL), lambda *_: None)
    assert [answers.give([annotation(n)]) for n in range(3)] == [0, 1, 2]
    answers.close()


def test_an_answer_of_another_desk_is_seen_within_seconds(desk: Served) -> None:
    other = AnnotationsTable(desk.desk.config.answers, catalogs.LOCAL)
    item = desk.desk.table.item("001.png")
    assert item
    assert item["decision"] == "review"
    other_desk = Answers(other, lambda *_: None)
    other_desk.give([given("shirt").of(item, desk.desk.taxonomy)])
    other_desk.close()
    desk.desk.look_again()
    shown = desk.desk.table.item("001.png")
    assert shown
    assert (shown["decision"], shown["category_id"], shown["by"]) == ("person", "shirt", "ann")
    assert shown["category_path"] == catalogs.TAXONOMY.path("shirt")


def test_an_item_that_one_has_open_is_not_given_to_another_for_a_minute() -> None:
    now = 0.0
    reservations = Reservations(lambda: now)
    assert reservations.take(["a", "b"], "ann", 1) == ["a"]
    assert reservations.take(["a", "b"], "bob", 1) == ["b"]
    assert reservations.take(["a"], "ann", 1) == ["a"]
    now = RESERVED_S + 1
    assert reservations.take(["a"], "bob", 1) == ["a"]


def test_an_item_that_was_decided_is_free_again() -> None:
    reservations = Reservations()
    reservations.take(["a"], "ann", 1)
    reservations.release(["a"], "ann")
    assert reservations.take(["a"], "bob", 1) == ["a"]
