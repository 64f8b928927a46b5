"""Label Studio's format: predictions out, and of an export every annotation back."""

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from lib.errors import InputError
from lib.review.label_studio import from_export, labelling_config, to_tasks
from lib.review.said import Read
from lib.schemas import LABELS_SCHEMA
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers.catalogs import TAXONOMY, label_rows

FLAT = parse_taxonomy("version: '7'\ncategories: [{id: hat, name: Hats}, {id: sock}]\n", "flat")
PATH = ["clothing", "bottoms", "skirt"]


def items(**values: object) -> pa.Table:
    rows = [{**row, **values} for row in label_rows(["a", "b"]).to_pylist()]
    return pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)


def exported(*annotations: dict[str, Any]) -> Read:
    (task, _) = to_tasks(items(), TAXONOMY)
    return from_export(json.dumps([{"id": 9, **task, "annotations": annotations}]).encode(), "x")


def annotation(*results: dict[str, Any], **values: object) -> dict[str, Any]:
    when = "2026-11-27T09:30:00.000000Z"
    return {"id": 4, "result": list(results), "created_at": when, "updated_at": when, **values}


def chosen(name: str, kind: str, value: list[Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "image", "type": kind, "value": {kind: value}}


def test_a_task_has_the_image_the_title_and_the_label_as_a_prediction() -> None:
    (task, _) = to_tasks(items(category_id="skirt", confidence=0.5, name="A skirt"), TAXONOMY)

    row = items().to_pylist()[0]
    assert task["data"]["image"] == task["data"]["uri"] == row["uri"]
    assert (task["data"]["item_id"], task["data"]["title"]) == ("a", "A skirt")
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == (row["bundle_digest"], 0.5)
    assert prediction["result"][0]["value"] == {"taxonomy": [PATH]}


def test_without_a_tree_the_prediction_is_a_choice() -> None:
    (task, _) = to_tasks(items(category_id="hat"), FLAT)

    assert task["predictions"][0]["result"][0]["value"] == {"choices": ["hat"]}


def test_an_item_without_a_label_has_no_prediction() -> None:
    (task, _) = to_tasks(items(category_id=None), TAXONOMY)

    assert task["predictions"] == []


def test_names_and_ids_of_any_letters_keep_the_config_whole() -> None:
    odd = "version: '1'\ncategories: [{id: 'a\"<&', name: '<b> & \"c\"'}, {id: d}]\n"

    config = ET.fromstring(labelling_config(parse_taxonomy(odd, "odd")))  # noqa: S314  # our own

    choice = config.find(".//Choices[@name='category']/Choice")
    assert choice is not None
    assert choice.attrib == {"value": '<b> & "c"', "alias": 'a"<&'}


def test_an_annotation_comes_back_with_its_person_and_its_time() -> None:
    person = {"id": 3, "email": "bea@shop"}

    read = exported(annotation(chosen("category", "taxonomy", [PATH]), completed_by=person))

    (said,) = read.said
    assert (said.item_id, said.answer, said.by) == ("a", "skirt", "bea@shop")
    assert said.at == datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
    assert (said.taxonomy_version, read.without) == ("7", {})


def test_a_person_may_be_a_number_alone() -> None:
    (said,) = exported(annotation(chosen("category", "choices", ["skirt"]), completed_by=3)).said

    assert (said.answer, said.by) == ("skirt", "user 3 of Label Studio")


def test_who_says_that_it_belongs_nowhere_means_it_though_the_prediction_is_still_there() -> None:
    category = chosen("category", "taxonomy", [PATH])

    (said,) = exported(annotation(category, chosen("rejected", "choices", ["rejected"]))).said

    assert said.answer == "rejected"


def test_what_was_skipped_or_left_empty_is_counted() -> None:
    skipped = annotation(chosen("category", "taxonomy", [PATH]), was_cancelled=True)

    read = exported(skipped, annotation())

    assert (read.said, read.without) == ([], {"skipped": 1, "no answer": 1})
    assert exported().without == {"no answer": 1}


def test_two_peoples_annotations_of_a_task_are_two_answers() -> None:
    given = [chosen("category", "taxonomy", [PATH])]

    read = exported(annotation(*given, id=1), annotation(*given, id=2))

    assert len({each.key for each in read.said}) == 2


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "expected a list of tasks with their annotations, as Label Studio exports it"),
        (b'{"a": 1}', "expected a list of tasks with their annotations"),
        (b'[{"id": 1, "image": "a", "category": "b"}]', "in the format JSON (not JSON-MIN)"),
        (b'[{"id": 7, "data": {"image": "a"}, "annotations": []}]', "task 7 has no item_id in its"),
        (b'[{"id": 7, "data": {"item_id": 3}, "annotations": []}]', "task 7 has no item_id in its"),
        (b'[{"data": {"item_id": "a"}, "annotations": [3]}]', "expected a list of tasks with th"),
    ],
    ids=["empty", "object", "min", "foreign", "number", "annotation"],
)
def test_what_is_no_export_says_so(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        from_export(data, "tasks.json")

    assert str(caught.value).startswith("tasks.json: ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "result",
    [None, [None], [{"value": None}], [{"from_name": "category", "value": {"taxonomy": [[]]}}],
     [{"from_name": "category", "value": {"choices": [3]}}], ["a"], "skirt", {"a": 1}],
)  # fmt: skip
def test_a_damaged_result_is_no_answer(result: object) -> None:
    assert exported({"id": 1, "result": result}).without == {"no answer": 1}
