"""Answers among labelled items: an answer counts for its image, and for no other."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lib.review.teach import Taught, teach
from lib.schemas import ANNOTATIONS_SCHEMA, ITEM_SCHEMA


def items(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ITEM_SCHEMA)


def item(item_id: str, label: str | None = "hat", **values: object) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "uri": f"{item_id}.jpg",
        "etag": "1",
        "category_id": label,
        **values,
    }


def said(item_id: str, category: str | None = "sock", **values: object) -> dict[str, Any]:
    return {
        "annotation_id": f"{item_id} {category}",
        "item_id": item_id,
        "uri": f"{item_id}.jpg",
        "etag": "1",
        "answer": "category" if category else "rejected",
        "category_id": category,
        "taxonomy_version": "1",
        "by": "ann",
        "at": datetime(2026, 11, 27, tzinfo=UTC),
        **values,
    }


def taught(table: pa.Table, *answers: dict[str, Any], validation: pa.Table | None = None) -> Taught:
    return teach(table, validation, pa.Table.from_pylist(list(answers), schema=ANNOTATIONS_SCHEMA))


def labels(table: pa.Table) -> dict[str, str | None]:
    return dict(zip(table["item_id"].to_pylist(), table["category_id"].to_pylist(), strict=True))


def test_an_answer_takes_the_place_of_a_label_gives_one_and_adds_an_item() -> None:
    found = taught(items(item("a"), item("b"), item("c", None)), said("a"), said("c"), said("d"))

    assert labels(found.items) == {"a": "sock", "b": "hat", "c": "sock", "d": "sock"}
    assert found.sentence == "3 answers used: 1 of labelled items, 2 of others"


def test_a_rejected_item_is_left_out_and_counted() -> None:
    found = taught(items(item("a"), item("b")), said("a", None), said("z", None))

    assert labels(found.items) == {"b": "hat"}
    assert found.sentence == (
        "0 answers used: 0 of labelled items, 0 of others; 2 rejected items left out"
    )


def test_an_answer_about_an_image_before_says_nothing_of_the_next() -> None:
    found = taught(items(item("a", etag="2")), said("a"))

    assert (labels(found.items), found.used) == ({"a": "hat"}, 0)


def test_without_an_etag_the_place_tells_the_image() -> None:
    found = taught(items(item("a", etag=None), item("b", etag=None, uri="new.jpg")),
                   said("a"), said("b"))  # fmt: skip

    assert labels(found.items) == {"a": "sock", "b": "hat"}


def test_a_catalog_that_names_its_items_otherwise_is_known_by_their_images() -> None:
    found = taught(items(item("photo-7", uri="a.jpg")), said("a"))

    assert labels(found.items) == {"photo-7": "sock"}


def test_an_answer_about_a_held_out_item_corrects_it_there_and_is_not_trained_on() -> None:
    found = taught(items(item("a")), said("b"), validation=items(item("b")))

    assert found.validation is not None
    assert labels(found.items) == {"a": "hat"}
    assert labels(found.validation) == {"b": "sock"}


def test_what_is_added_to_a_catalog_with_sides_is_trained_on() -> None:
    found = taught(items(item("a", split="validation")), said("b"))

    assert found.items["split"].to_pylist() == ["validation", "train"]


def test_without_answers_all_stays() -> None:
    table = items(item("a"), item("b", None))

    assert taught(table).items.equals(table)
