"""A training that is given people's answers: they are labels, on either side."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lib.errors import InputError
from lib.labels.annotations_table import AnnotationsTable
from lib.schemas import ANNOTATIONS_SCHEMA
from pipelines.train_config import TrainRun
from pipelines.train_inputs import read_taught_sides
from tests.helpers.catalogs import LOCAL, TAXONOMY, pictures, read_items, write_catalog


@pytest.fixture
def config(tmp_path: Path) -> TrainRun:
    """Ten items of each leaf, one after the other, and an item without a label."""
    files = pictures(51)
    labels = dict(zip(files, TAXONOMY.leaves * 10, strict=False))
    manifest = write_catalog(str(tmp_path / "images"), files, labels=labels)
    return TrainRun.model_validate(
        {
            "output": str(tmp_path / "runs"),
            "taxonomy": "taxonomy.yaml",
            "catalog": {"uri": manifest},
            "annotations": str(tmp_path / "answers"),
        }
    )


def answer(config: TrainRun, **answers: str | None) -> None:
    """Let a person say of items, by the first three letters of their names, what they are."""
    items = {row["item_id"][:3]: row for row in read_items(config.catalog.uri).to_pylist()}
    rows: list[dict[str, Any]] = [
        {
            "annotation_id": f"{name} {category}",
            **{key: items[name[1:]][key] for key in ("item_id", "uri", "etag")},
            "answer": "category" if category else "rejected",
            "category_id": category,
            "taxonomy_version": TAXONOMY.version,
            "by": "ann",
            "at": datetime(2026, 11, 27, tzinfo=UTC),
        }
        for name, category in answers.items()
    ]
    table = AnnotationsTable(str(config.annotations), LOCAL)
    table.append(pa.Table.from_pylist(rows, schema=ANNOTATIONS_SCHEMA))


def test_answers_correct_add_and_leave_out_before_items_are_divided(config: TrainRun) -> None:
    answer(config, _000="skirt", _050="shoes", _001=None)

    items, held_out, taught = read_taught_sides(config, TAXONOMY, LOCAL)

    both = pa.concat_tables([items, held_out]).to_pylist()
    labels = {row["item_id"][:3]: row["category_id"] for row in both}
    assert (labels["000"], labels["050"], "001" in labels) == ("skirt", "shoes", False)
    assert len(labels) == 50
    assert held_out.num_rows == 10
    assert taught is not None
    assert taught.sentence == (
        "2 answers used: 1 of labelled items, 1 of others; 1 rejected item left out"
    )


def test_without_the_key_labels_are_the_catalogs(config: TrainRun) -> None:
    answer(config, _000="skirt")

    alone = config.model_copy(update={"annotations": None})
    items, held_out, taught = read_taught_sides(alone, TAXONOMY, LOCAL)

    assert (items.num_rows + held_out.num_rows, taught) == (50, None)


def test_a_table_that_is_not_there_is_named(config: TrainRun) -> None:
    with pytest.raises(InputError, match=r"annotations: there is no table of people's answers in "):
        read_taught_sides(config, TAXONOMY, LOCAL)
