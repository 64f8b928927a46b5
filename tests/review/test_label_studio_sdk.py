"""Label Studio's own SDK reads what we write, and we read what it writes: `make test-review`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lib.review.label_studio import from_export, labelling_config, to_tasks
from lib.review.take_answers import Import, take_answers
from lib.schemas import ANNOTATIONS_SCHEMA, LABELS_SCHEMA
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy
from tests.helpers.catalogs import TAXONOMY, label_rows

interface = pytest.importorskip(
    "label_studio_sdk.label_interface", reason="Label Studio's SDK is not here: make test-review"
)
objects = pytest.importorskip("label_studio_sdk.label_interface.objects")
converter = pytest.importorskip("label_studio_sdk.converter")

FLAT = parse_taxonomy(
    "version: '7'\ncategories: [{id: hat}, {id: 'a&b', name: 'Socks < 9 & \"up\"'}]\n",
    "flat",
)
EACH = pytest.mark.parametrize("taxonomy", [TAXONOMY, FLAT], ids=["tree", "flat"])


def labelled(taxonomy: Taxonomy) -> pa.Table:
    """Return an item of each leaf, and one of each category above."""
    ids = list(taxonomy.by_id)
    rows = label_rows(ids).to_pylist()
    for row, category in zip(rows, ids, strict=True):
        row |= {"category_id": category, "category_path": taxonomy.path(category), "name": category}
    return pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)


def annotated(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tasks that a person has agreed to, each annotation and task made by the SDK."""
    found = []
    for number, task in enumerate(tasks):
        agreed = objects.AnnotationValue(completed_by=5, result=task["predictions"][0]["result"])
        value = objects.TaskValue(data=task["data"], annotations=[agreed]).model_dump()
        value["id"] = value["annotations"][0]["id"] = number + 1
        value["annotations"][0]["created_at"] = "2026-11-27T09:30:00.000000Z"
        found.append(value)
    return found


@EACH
def test_the_labelling_config_is_valid(taxonomy: Taxonomy) -> None:
    config = interface.LabelInterface(labelling_config(taxonomy))

    config.validate()
    assert set(config.get_control("category").labels) == set(taxonomy.by_id)
    assert config.get_control("rejected").labels == ["rejected"]


@EACH
def test_every_task_and_prediction_is_valid_for_the_config(taxonomy: Taxonomy) -> None:
    config = interface.LabelInterface(labelling_config(taxonomy))

    for task in to_tasks(labelled(taxonomy), taxonomy):
        assert config.validate_task({"data": task["data"]})
        (prediction,) = task["predictions"]
        assert config.validate_prediction(prediction, return_errors=True) == []


def test_a_prediction_of_another_taxonomy_would_not_be_valid() -> None:
    (task, *_) = to_tasks(labelled(TAXONOMY), TAXONOMY)

    config = interface.LabelInterface(labelling_config(FLAT))
    assert config.validate_prediction(task["predictions"][0], return_errors=True) != []


@EACH
def test_what_its_converter_exports_comes_back_as_annotations(
    taxonomy: Taxonomy, tmp_path: Path
) -> None:
    items = labelled(taxonomy)
    project = tmp_path / "project.json"
    project.write_text(json.dumps(annotated(to_tasks(items, taxonomy))))
    config = labelling_config(taxonomy)
    convert = converter.Converter(config, str(tmp_path), download_resources=False)

    convert.convert(str(project), str(tmp_path / "json"), "JSON", is_dir=False)

    read = from_export((tmp_path / "json" / "result.json").read_bytes(), "result.json")
    common = Import(taxonomy=taxonomy, by="ann", now=datetime.now(UTC))
    taken = take_answers(read.said, items, ANNOTATIONS_SCHEMA.empty_table(), common)
    found = {row["item_id"]: row["category_id"] for row in taken.annotations.to_pylist()}
    assert found == {leaf: leaf for leaf in taxonomy.leaves}
    assert taken.refused == len(taxonomy.by_id) - len(taxonomy.leaves)
    assert set(taken.annotations["by"].to_pylist()) == {"user 5 of Label Studio"}


@EACH
def test_its_converter_sees_the_category_that_was_predicted(
    taxonomy: Taxonomy, tmp_path: Path
) -> None:
    project = tmp_path / "project.json"
    project.write_text(json.dumps(annotated(to_tasks(labelled(taxonomy), taxonomy))))
    config = labelling_config(taxonomy)
    convert = converter.Converter(config, str(tmp_path), download_resources=False)

    convert.convert(str(project), str(tmp_path / "min"), "JSON_MIN", is_dir=False)

    for row in json.loads((tmp_path / "min" / "result.json").read_text()):
        category = row["category"]
        while isinstance(category, list | dict):
            category = category["taxonomy"] if isinstance(category, dict) else category[-1]
        assert category == row["item_id"]
