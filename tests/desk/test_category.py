"""A category's page: how large, how sure, how often right, and what it is taken for."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from lib.desk.answers import Given
from lib.desk.category_figures import confused_with, moved
from lib.desk.local_table import LocalTable
from lib.desk.local_tables import write_local
from lib.labels.annotations import Answer
from lib.schemas import ANNOTATIONS_SCHEMA, LABELS_SCHEMA
from tests.helpers.catalogs import TAXONOMY, label_rows
from tests.helpers.desks import Served
from tests.helpers.pages import text_of

PATHS = {each: TAXONOMY.path(each) for each in TAXONOMY.by_id}


@pytest.fixture
def table(tmp_path: Path) -> LocalTable:
    """Four shirts; the model's second choice is knitwear twice, and shoes once."""
    rows = label_rows(list("abcd")).to_pylist()
    for row, second in zip(rows, ["knitwear", "knitwear", "shoes", None], strict=True):
        if second:
            row["top_k"] = [*row["top_k"], {"category_id": second, "probability": 0.2}]
    path = tmp_path / "labels.duckdb"
    batches = pa.Table.from_pylist(rows, schema=LABELS_SCHEMA).to_batches()
    write_local(path, batches, PATHS, ANNOTATIONS_SCHEMA.empty_table())
    return LocalTable(path, 1)


def test_the_second_choice_is_what_a_category_is_confused_with(table: LocalTable) -> None:
    found = [(each["category_id"], each["items"]) for each in confused_with(table, ["shirt"], 8)]
    assert found == [("knitwear", 2), ("shoes", 1)]
    inside = ["tops", "shirt", "knitwear"]
    assert [each["category_id"] for each in confused_with(table, inside, 8)] == ["shoes"]


def test_answers_that_moved_an_item_count_for_both_categories(table: LocalTable) -> None:
    for item_id, answer, category in [
        ("a", Answer.CATEGORY, "shoes"),
        ("b", Answer.REJECTED, None),
        ("c", Answer.CATEGORY, "shirt"),
    ]:
        item = table.item(item_id)
        assert item
        given = Given(answer=answer, category_id=category, by="ann", why="queue", key="k")
        row = given.of(item, TAXONOMY)
        table.take_in(pa.Table.from_pylist([row], schema=ANNOTATIONS_SCHEMA))
    out = moved(table, ["shirt"], into=False, most=8)
    assert {(each["category_id"], each["items"]) for each in out} == {("shoes", 1), (None, 1)}
    into = moved(table, ["shoes"], into=True, most=8)
    assert [(each["category_id"], each["items"]) for each in into] == [("shirt", 1)]


def test_a_category_shows_its_size_and_its_photos(desk: Served) -> None:
    answer = desk.client.get("/category", params={"id": "skirt"})
    said = text_of(answer.text)
    assert answer.status_code == 200
    assert "Items 6" in said
    assert "To review 6 100%" in said
    assert answer.text.count("/picture?item=") == 12  # doubtful ones and sure ones


def test_a_category_above_others_counts_them(desk: Served) -> None:
    said = text_of(desk.client.get("/category", params={"id": "clothing"}).text)
    assert "Items 12" in said
    assert "Below it Tops Bottoms" in said


def test_the_true_precision_is_that_of_blind_answers(desk: Served) -> None:
    def said_of(category: str) -> str:
        return text_of(desk.client.get("/category/precision", params={"id": category}).text)

    assert "True precision is not known yet" in said_of("shirt")
    items = [
        row
        for row in desk.desk.table.rows("SELECT * FROM shown ORDER BY 1")
        if row["decision"] == "accept"
    ]
    answers = [
        Given(answer=Answer.CATEGORY, category_id=category, by="ann", why="audit", key="k").of(
            item, TAXONOMY
        )
        | {"at": datetime.now(UTC)}
        for item, category in zip(items[:4], ["shirt", "shirt", "shirt", "shoes"], strict=True)
    ]
    desk.desk.answers.give(answers)
    assert "3 of 4 accepted items are right: 75.0%" in said_of("shirt")
    assert "No accepted item of this category was audited yet; of all" in said_of("shoes")


def test_a_category_that_the_taxonomy_lacks_is_not_there(desk: Served) -> None:
    assert desk.client.get("/category", params={"id": "hat"}).status_code == 404
