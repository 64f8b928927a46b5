"""Answers of people, made in code."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from lib.labels.annotations import Answer
from lib.labels.annotations_table import AnnotationsTable
from lib.schemas import ANNOTATIONS_SCHEMA
from tests.helpers.catalogs import LOCAL

START = datetime(2026, 11, 27, 9, tzinfo=UTC)


def answer(
    item_id: str, category_id: str | None, number: int = 1, **values: object
) -> dict[str, Any]:
    """Return an answer, the later the greater its number; without a category it is a rejection.

    By default it is of the rows of `catalogs.label_rows`, in their taxonomy.
    """
    return {
        "annotation_id": f"{item_id}-{number}",
        "item_id": item_id,
        "uri": f"s3://shop/{item_id}",
        "etag": "1",
        "answer": Answer.REJECTED if category_id is None else Answer.CATEGORY,
        "category_id": category_id,
        "taxonomy_version": "7",
        "by": "ann",
        "at": START + timedelta(seconds=number),
        **values,
    }


def of_row(
    row: dict[str, Any], category_id: str | None, number: int = 1, **values: object
) -> dict[str, Any]:
    """Return an answer about the image of a row of a labels table."""
    image = {name: row[name] for name in ("uri", "etag", "taxonomy_version")}
    return answer(row["item_id"], category_id, number, **image, **values)


def table_of(*answers: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(answers), schema=ANNOTATIONS_SCHEMA)


def give(place: str, *answers: dict[str, Any]) -> None:
    """Append answers to a table of annotations."""
    AnnotationsTable(place, LOCAL).append(table_of(*answers))
