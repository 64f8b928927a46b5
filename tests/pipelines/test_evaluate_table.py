"""What a labels table says of labelled items, where people have decided on some."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.evaluation.assessment import assess
from lib.evaluation.predictions import Answered
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.labels.people import Answers
from lib.schemas import ITEM_SCHEMA
from pipelines.evaluate_table import answer_from
from tests.helpers.answers import answer, table_of
from tests.helpers.catalogs import LOCAL, TAXONOMY, label_rows

ITEMS = ["a", "b", "c", "d"]


@pytest.fixture
def answered(tmp_path: Path) -> Answered:
    """The model calls all items shirts; `d` has no image. People have decided on all but `a`."""
    answers = table_of(answer("b", "shoes"), answer("c", None), answer("d", "shoes"))
    rows = Answers(answers, TAXONOMY).lay_over(label_rows(ITEMS, broken=["d"]))
    part = tmp_path / "part.parquet"
    parquet.write_table(rows, part)
    table = LabelsTable(str(tmp_path / "labels"), LOCAL)
    table.publish(Change(run_id="run-1", base=None, parts=[str(part)], removed=None))
    known = [
        {"item_id": each, "uri": f"s3://shop/{each}", "etag": "1", "category_id": "shoes"}
        for each in ITEMS
    ]
    return answer_from(table, 0, pa.Table.from_pylist(known, schema=ITEM_SCHEMA))


def test_what_is_measured_is_the_model_whatever_people_have_said(answered: Answered) -> None:
    rows = {row["item_id"]: row for row in answered.predictions.to_pylist()}
    assert {each: row["predicted"] for each, row in rows.items()} == dict.fromkeys("abc", "shirt")
    assert {each: row["label"] for each, row in rows.items()} == {
        "a": "shirt",
        "b": "shoes",
        "c": None,
    }


def test_an_image_that_no_model_has_seen_is_left_out_with_its_reason(answered: Answered) -> None:
    (left_out,) = answered.left_out
    assert (left_out.item_id, left_out.code) == ("d", "gone")


def test_what_people_have_decided_is_not_among_the_accepted(answered: Answered) -> None:
    found = assess(answered.predictions, TAXONOMY, "labels")

    counts = {each.decision: (each.items.part, each.right.part) for each in found.decisions}
    assert counts == {"accept": (1, 0), "person": (2, 1)}
