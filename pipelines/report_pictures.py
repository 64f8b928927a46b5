"""The pictures of a report, each with what the model says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pyarrow import parquet

from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.labels.decisions import Decision
from lib.reports.classification_rows import SHOWN, Row
from lib.reports.data import Thumbnail
from lib.reports.links import image_link
from lib.storage.config import StorageConfig
from lib.taxonomy.taxonomy import Taxonomy

ARROW = "\N{RIGHTWARDS ARROW}"
ROWS_BY_ID = 24

Pictures = Mapping[str, Thumbnail]  # by item id


def rows_of(item_ids: Sequence[str], parts: Sequence[Path]) -> list[Row]:
    """Read what the report shows of the first of some items, in their order."""
    shown = list(item_ids[:ROWS_BY_ID])
    wanted = [("item_id", "in", shown)]
    found: dict[str, Row] = {}
    for part in parts if shown else ():
        rows = parquet.read_table(part, columns=SHOWN, filters=wanted).to_pylist()
        found |= {row["item_id"]: row for row in rows}
    return [found[item_id] for item_id in shown]


def show(
    rows: Sequence[Row],
    names: Mapping[str, str | None],
    taxonomy: Taxonomy,
    storage: StorageConfig,
    reading: ReadingConfig,
) -> dict[str, Thumbnail]:
    """Fetch the pictures of labelled items, and return them by item id.

    Args:
        rows: columns `SHOWN` of the labels; an item may stand there more than once.
        names: of the items, by id, where they have one.
        taxonomy: of the labels.
        storage: how to reach the images.
        reading: how they are read.
    """
    shown = {row["item_id"]: row for row in rows}
    pictures = read_thumbnails([row["uri"] for row in shown.values()], reading, storage)
    return {
        item_id: _caption(row, taxonomy, storage, names.get(item_id), picture)
        for (item_id, row), picture in zip(shown.items(), pictures, strict=True)
    }


def pick(
    rows: Sequence[Row], pictures: Pictures, was: Mapping[str, str] | None = None
) -> list[Thumbnail]:
    """Return the pictures of some rows, in their order.

    Args:
        rows: with their item ids.
        pictures: of them, among others.
        was: path of the category that each had before, to stand beside the one it has.
    """
    found = [pictures[row["item_id"]] for row in rows]
    if was is None:
        return found
    return [
        each
        if was[each.item_id] == each.category
        else replace(each, category=f"{was[each.item_id]} {ARROW} {each.category}")
        for each in found
    ]


def _caption(
    row: Row, taxonomy: Taxonomy, storage: StorageConfig, name: str | None, jpeg: bytes | None
) -> Thumbnail:
    # a person may have decided on an image that no model has seen, and rejects without a category
    others = [each for each in row["top_k"] or () if each["category_id"] != row["category_id"]]
    other = others[0] if others else None
    return Thumbnail(
        jpeg=jpeg,
        item_id=row["item_id"],
        name=name,
        category=row["category_path"],
        confidence=None if row["decision"] == Decision.PERSON else row["confidence"],
        for_review=row["decision"] == Decision.REVIEW,
        other=f"or {taxonomy.by_id[other['category_id']].name}" if other else None,
        other_confidence=other["probability"] if other else None,
        link=image_link(row["uri"], storage),
    )
