"""What the desk shows of an item: a person's answer while it stands, else what the model says."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lib.desk.local_table import FEW, LocalTable
from lib.desk.local_tables import write_local
from lib.schemas import ANNOTATIONS_SCHEMA, LABELS_SCHEMA
from tests.helpers.catalogs import TAXONOMY, label_rows

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NONE = ANNOTATIONS_SCHEMA.empty_table()


def told(answer: str, minute: int, category_id: str | None = None, item: str = "a") -> pa.Table:
    row = {
        "annotation_id": f"{minute}-{item}", "item_id": item, "uri": f"s3://shop/{item}",
        "etag": "1", "answer": answer, "category_id": category_id, "taxonomy_version": "7",
        "by": "ann", "at": NOW + timedelta(minutes=minute),
    }  # fmt: skip
    return pa.Table.from_pylist([row], schema=ANNOTATIONS_SCHEMA)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[LocalTable]:
    """Three items: accepted, for review, and kept by a night as a person's."""
    rows = label_rows(["a", "b", "c"]).to_pylist()
    rows[1]["decision"], rows[2]["decision"] = "review", "person"
    labels = pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)
    paths = {each: TAXONOMY.path(each) for each in TAXONOMY.by_id}
    write_local(tmp_path / "local.duckdb", labels.to_batches(), paths, NONE)
    found = LocalTable(tmp_path / "local.duckdb", 0)
    yield found
    found.close()


def seen(table: LocalTable, item: str) -> tuple[str, str | None]:
    found = table.item(item)
    assert found
    return found["decision"], found["category_id"]


@pytest.mark.parametrize(
    ("item", "then"), [("a", "accept"), ("b", "review"), ("c", "review")], ids=str
)
def test_what_is_taken_back_is_again_as_the_model_said(
    table: LocalTable, item: str, then: str
) -> None:
    table.take_in(told("category", 1, "skirt", item))
    assert seen(table, item) == ("person", "skirt")
    table.take_in(told("withdrawn", 2, None, item))
    assert seen(table, item) == (then, "shirt")


def test_an_answer_that_a_taxonomy_has_split_is_a_question_again(table: LocalTable) -> None:
    table.take_in(told("split", 1))
    assert seen(table, "a") == ("review", "shirt")


def test_a_rejected_item_has_no_category(table: LocalTable) -> None:
    table.take_in(told("rejected", 1))
    assert seen(table, "a") == ("person", None)


def test_what_was_read_before_an_answer_does_not_bring_the_older_one_back(
    table: LocalTable,
) -> None:
    table.take_in(told("category", 2, "skirt"))
    table.take_in(told("category", 1, "trousers"))
    assert seen(table, "a") == ("person", "skirt")


def test_all_that_people_said_of_an_item_is_at_hand_once_and_the_newest_first(
    table: LocalTable,
) -> None:
    for annotations in (told("category", 1, "skirt"), told("withdrawn", 2)):
        table.take_in(annotations)
        table.take_in(annotations)
    found = table.history_of(["a", "b"])
    assert [row["answer"] for row in found["a"]] == ["withdrawn", "category"]
    assert found["b"] == []


def test_answers_of_this_day_are_at_hand_until_they_are_taken_back(table: LocalTable) -> None:
    minute = int((datetime.now(UTC) - NOW).total_seconds() / 60)
    table.take_in(told("category", minute, "skirt"))
    table.take_in(told("category", minute - 3 * 24 * 60, "skirt", "b"))
    assert [said.category_id for said in table.answers_of_today()] == ["skirt"]
    table.take_in(told("withdrawn", minute + 1))
    assert not any(said.stands for said in table.answers_of_today())


def test_counts_follow_the_answers(table: LocalTable) -> None:
    table.take_in(told("category", 1, "skirt", "b"))
    table.take_in(told("rejected", 2, None, "c"))
    found = {key: items for key, items in table.counts_by_category().items() if items}
    assert found == {("shirt", "accept"): 1, ("skirt", "person"): 1, (None, "person"): 1}
    table.take_in(told("withdrawn", 3, None, "b"))
    assert table.counts() == {"accept": 1, "parent": 0, "review": 1, "error": 0, "person": 1}


def test_what_is_at_hand_is_what_the_database_shows_whatever_people_have_said(
    table: LocalTable,
) -> None:
    def check() -> None:
        shown = table.rows("SELECT * FROM shown ORDER BY item_id")
        assert table.items(["a", "b", "c"]) == shown
        counted = Counter((row["category_id"], row["decision"]) for row in shown)
        assert +Counter(table.counts_by_category()) == counted
        for category in TAXONOMY.by_id:
            found = table.places.ids_at(table.places.of_categories([category]))
            of_it = [row["item_id"] for row in shown if row["category_id"] == category]
            assert sorted(found) == of_it

    check()
    for minute, item in enumerate("abc"):
        for step, (answer, category) in enumerate(
            [("category", "skirt"), ("rejected", None), ("split", None), ("withdrawn", None)]
        ):
            table.take_in(told(answer, 10 * minute + step, category, item))
            check()


def test_many_answers_at_once_are_shown_as_few_are(tmp_path: Path) -> None:
    items = [f"i{number}" for number in range(FEW + 10)]
    labels = label_rows(items)
    write_local(tmp_path / "many.duckdb", labels.to_batches(), {"skirt": "Skirt"}, NONE)
    many = LocalTable(tmp_path / "many.duckdb", 0)
    many.take_in(pa.concat_tables(told("category", 1, "skirt", each) for each in items))
    assert many.counts_by_category()["skirt", "person"] == len(items)
    assert len(many.places.of_categories(["skirt"])) == len(items)
    assert seen(many, items[-1]) == ("person", "skirt")
    many.close()


def test_answers_that_were_there_before_are_shown_from_the_start(tmp_path: Path) -> None:
    labels = label_rows(["a", "b"])
    answers = told("category", 1, "skirt", "b")
    write_local(tmp_path / "next.duckdb", labels.to_batches(), {"skirt": "Skirt"}, answers)
    table = LocalTable(tmp_path / "next.duckdb", 0)
    assert seen(table, "b") == ("person", "skirt")
    assert table.places.ids_at(table.places.of_categories(["skirt"])) == ["b"]
    table.close()


def test_what_was_said_of_an_earlier_image_is_not_shown_of_the_next(table: LocalTable) -> None:
    earlier = told("category", 1, "skirt").to_pylist()[0] | {"etag": "0"}
    table.take_in(pa.Table.from_pylist([earlier], schema=ANNOTATIONS_SCHEMA))
    assert seen(table, "a") == ("accept", "shirt")
    assert table.counts()["person"] == 1  # what a night kept


def test_what_no_answer_changes_is_found_once(table: LocalTable) -> None:
    query = "SELECT item_id FROM labels ORDER BY item_id DESC"
    assert table.read_once(query) is table.read_once(query)
    assert table.rows_once(query) == [{"item_id": each} for each in "cba"]
