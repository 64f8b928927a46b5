"""What a person sees of the table: labels, and answers in their place."""

from pathlib import Path

import pyarrow as pa
import pytest

from lib.desk.answers import Given
from lib.desk.local_table import LocalTable, write_local
from lib.labels.annotations import Answer
from lib.schemas import ANNOTATIONS_SCHEMA
from tests.helpers import catalogs

PATHS = {each: catalogs.TAXONOMY.path(each) for each in catalogs.TAXONOMY.by_id}


@pytest.fixture
def table(tmp_path: Path) -> LocalTable:
    """Five shirts, one of which could not be read."""
    path = tmp_path / "labels.duckdb"
    rows = catalogs.label_rows(list("abcde"), broken=["e"])
    write_local(path, rows.to_batches(), PATHS, ANNOTATIONS_SCHEMA.empty_table())
    return LocalTable(path, 1)


def answer(table: LocalTable, item_id: str, what: Answer, category_id: str | None = None) -> None:
    item = table.item(item_id)
    assert item
    given = Given(answer=what, category_id=category_id, by="ann", why="browse", key=str(what))
    row = given.of(item, catalogs.TAXONOMY)
    table.take_in(pa.Table.from_pylist([row], schema=ANNOTATIONS_SCHEMA))


def test_counts_follow_the_answers(table: LocalTable) -> None:
    answer(table, "a", Answer.CATEGORY, "skirt")
    answer(table, "b", Answer.REJECTED)
    found = {key: items for key, items in table.counts_by_category().items() if items}
    assert found == {
        ("shirt", "accept"): 2,
        ("skirt", "person"): 1,
        (None, "person"): 1,
        (None, "error"): 1,
    }
    assert table.counts()["person"] == 2


def test_an_answer_that_is_taken_back_leaves_the_label_that_was_there(table: LocalTable) -> None:
    answer(table, "a", Answer.CATEGORY, "skirt")
    answer(table, "a", Answer.WITHDRAWN)
    item = table.item("a")
    assert item
    assert (item["category_id"], item["decision"], item["answer"]) == ("shirt", "accept", None)
    assert table.counts() == {"accept": 4, "parent": 0, "review": 0, "error": 1, "person": 0}
