from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lib.evaluation.predictions import (
    PREDICTIONS_SCHEMA,
    in_common,
    make_predictions,
    probabilities_of,
    write_predictions,
)
from lib.schemas import ITEM_SCHEMA
from tests.helpers.catalogs import LOCAL

LEAVES = ("shirt", "skirt")
PROBABILITIES = np.array([[0.75, 0.25], [0.125, 0.875], [0.5, 0.5]], np.float32)


def items(*item_ids: str) -> pa.Table:
    rows = [{"item_id": i, "uri": f"{i}.jpg", "category_id": "shirt"} for i in item_ids]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def test_predictions_are_read_as_they_were_written_with_their_leaves(tmp_path: Path) -> None:
    made = make_predictions(items("a", "b", "c"), LEAVES, PROBABILITIES, folds=np.array([0, 1, 0]))

    write_predictions(str(tmp_path / "held_out.parquet"), LOCAL, made)
    found = parquet.read_table(tmp_path / "held_out.parquet")

    assert found.to_pylist() == made.to_pylist()
    assert found["predicted"].to_pylist() == ["shirt", "skirt", "shirt"]
    assert found["confidence"].to_pylist() == [0.75, 0.875, 0.5]
    assert found["fold"].to_pylist() == [0, 1, 0]
    known = probabilities_of(found)
    assert known
    assert known[0] == LEAVES
    assert np.array_equal(known[1], PROBABILITIES)


def test_probabilities_that_are_not_known_are_none() -> None:
    assert probabilities_of(PREDICTIONS_SCHEMA.empty_table()) is None


def test_items_in_common_stand_in_the_same_order() -> None:
    ours = make_predictions(items("a", "b", "c"), LEAVES, PROBABILITIES)
    theirs = make_predictions(items("c", "d", "a"), LEAVES, PROBABILITIES)

    one, other = in_common(ours, theirs)

    assert one["item_id"].to_pylist() == other["item_id"].to_pylist() == ["a", "c"]
    assert other["confidence"].to_pylist() == [0.5, 0.75]
