from pathlib import Path
from typing import Any

import pytest

from lib.labels.all_failed import all_failed
from lib.labels.gates import measure_changes
from lib.sql import open_duckdb
from tests.labels.test_gates import known, row, write

Row = dict[str, Any]
GONE = [row(name, None, "error") for name in "abcd"]
SAID = "items failed for one reason, gone: the object was listed but is no longer there"


def said(folder: Path, rows: list[Row], before: list[Row]) -> str | None:
    with open_duckdb() as connection:
        measure_changes(connection, *write(folder, rows, before))
        return all_failed(connection)


def test_a_run_of_which_each_item_failed_for_one_reason_says_so(tmp_path: Path) -> None:
    assert said(tmp_path, GONE, []) == f"all 4 {SAID}"


def test_items_that_had_a_label_before_count_as_new_ones_do(tmp_path: Path) -> None:
    assert said(tmp_path, GONE[:2], [known("a", "x"), known("b", "x")]) == f"all 2 {SAID}"


@pytest.mark.parametrize(
    ("rows", "before"),
    [
        pytest.param(GONE[:1], [], id="a single item"),
        pytest.param([], [], id="no item"),
        pytest.param([*GONE, row("e", "x")], [], id="one that has a label"),
        pytest.param([*GONE, {**GONE[0], "item_id": "e", "error": "empty"}], [], id="two reasons"),
        pytest.param(GONE[:3], [known("a", None), known("b", None)], id="errors as before"),
    ],
)
def test_other_runs_are_left_to_the_gates(
    tmp_path: Path, rows: list[Row], before: list[Row]
) -> None:
    assert said(tmp_path, rows, before) is None


def test_what_people_have_decided_of_images_that_fail_too_is_no_sign_of_life(
    tmp_path: Path,
) -> None:
    unseen = {**row("e", "x", "person"), "confidence": None}
    assert said(tmp_path, [*GONE, unseen], []) == f"all 4 {SAID}"
    assert said(tmp_path, [*GONE, row("e", "x", "person")], []) is None
