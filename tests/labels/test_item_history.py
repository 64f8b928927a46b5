"""What an item was labelled, version by version, without reading whole versions."""

from pathlib import Path

import pyarrow as pa
import pytest

from lib.batches import to_parquet
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Made
from lib.labels.item_history import item_history
from lib.schemas import LABELS_SCHEMA
from tests.helpers.catalogs import LOCAL, label_rows

ODD = "it's \\ \"a\" '' -- /x"


@pytest.fixture
def table(tmp_path: Path) -> LabelsTable:
    return LabelsTable(str(tmp_path / "labels"), LOCAL)


def publish(table: LabelsTable, run_id: str, rows: pa.Table) -> int:
    part = f"{table.name}-{run_id}.parquet"
    LOCAL.write(part, to_parquet(rows))
    made = Made(run=f"runs/{run_id}", run_id=run_id)
    change = Change(run_id=run_id, base=table.version(), parts=[part], removed=None, made=made)
    return table.publish(change)


def labelled(run_id: str, **categories: str) -> pa.Table:
    rows = label_rows(list(categories), run_id).to_pylist()
    for row in rows:
        row["category_id"] = categories[row["item_id"]]
    return pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)


def steps_of(table: LabelsTable, item_id: str, most: int = 14) -> list[tuple[int, str | None]]:
    found = item_history(table, item_id, most)
    rows = [(each.version.number, each.row) for each in found]
    return [(number, row["category_id"] if row else None) for number, row in rows]


def test_a_night_that_did_not_touch_an_item_is_no_step_of_it(table: LabelsTable) -> None:
    publish(table, "first", labelled("first", a="shirt", b="shirt"))
    publish(table, "second", labelled("second", b="skirt"))
    publish(table, "third", labelled("third", a="shoes"))
    publish(table, "fourth", labelled("fourth", b="shirt"))
    assert steps_of(table, "a") == [(2, "shoes"), (0, "shirt")]


def test_a_rollback_brings_back_what_an_item_was(table: LabelsTable) -> None:
    publish(table, "first", labelled("first", a="shirt"))
    publish(table, "second", labelled("second", a="skirt"))
    table.roll_back(0)
    publish(table, "third", labelled("third", b="shirt"))
    assert steps_of(table, "a") == [(2, "shirt"), (1, "skirt"), (0, "shirt")]


def test_an_item_that_came_later_was_not_there_before(table: LabelsTable) -> None:
    publish(table, "first", labelled("first", a="shirt"))
    publish(table, "second", labelled("second", b="skirt"))
    assert steps_of(table, "b") == [(1, "skirt"), (0, None)]


def test_no_more_versions_are_read_than_asked_for(table: LabelsTable) -> None:
    for number in range(4):
        publish(table, f"run-{number}", labelled(f"run-{number}", a=f"c{number}"))
    assert steps_of(table, "a", most=2) == [(3, "c3"), (2, "c2")]


def test_an_item_is_found_whatever_its_id_is_made_of(table: LabelsTable) -> None:
    publish(table, "first", labelled("first", **{ODD: "shirt", "a": "skirt"}))
    assert steps_of(table, ODD) == [(0, "shirt")]
    assert steps_of(table, "' OR ''='") == [(0, None)]
