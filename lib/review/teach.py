"""People's answers among labelled items: an answer takes the place of the catalog's label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lib.catalog.split import TRAIN
from lib.labels.annotations import Answer
from lib.runs.progress import plural
from lib.schemas import ITEM_SCHEMA

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Taught:
    """Labelled items with people's answers among them.

    Attributes:
        items: of `ITEM_SCHEMA`, sorted by item.
        validation: the same, of those that the catalog holds out for good, or None.
        corrected: items of the catalog whose label is an answer now.
        added: items that no catalog has a label for.
        rejected: items that are left out since they belong to no category.
    """

    items: pa.Table
    validation: pa.Table | None
    corrected: int
    added: int
    rejected: int

    @property
    def used(self) -> int:
        """How many answers are labels now."""
        return self.corrected + self.added

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        left_out = f"; {plural(self.rejected, 'rejected item')} left out" if self.rejected else ""
        return (
            f"{plural(self.used, 'answer')} used: {self.corrected:,} of labelled items, "
            f"{self.added:,} of others{left_out}"
        )


def teach(items: pa.Table, validation: pa.Table | None, answers: pa.Table) -> Taught:
    """Put answers that stand in the place of the labels of the same items and images.

    Items are the same by their id or by the place of their image; images by the etag, or by the
    place where one of the two has none. What the answers say of items that are there without a
    label, or are not there, is added.

    Args:
        items: of `ITEM_SCHEMA`.
        validation: the same, of a catalog of its own, or None.
        answers: of `ANNOTATIONS_SCHEMA`, as `standing_answers` gives them, in one version.
    """
    given = answers.to_pylist()
    by_key: dict[str, list[Row]] = {}
    for row in given:
        for key in _keys(row):
            by_key.setdefault(key, []).append(row)
    heard: set[str] = set()
    was_labelled: list[bool] = []

    def corrected(table: pa.Table) -> Iterator[Row]:
        for row in table.to_pylist():
            near = (each for key in _keys(row) for each in by_key.get(key, ()))
            answer = next((each for each in near if _same_image(row, each)), None)
            if answer is None:
                yield row
                continue
            heard.add(answer["annotation_id"])
            if answer["answer"] != Answer.REJECTED:
                was_labelled.append(row["category_id"] is not None)
                yield {**row, "category_id": answer["category_id"]}

    found = list(corrected(items))
    held_out = None if validation is None else _as_items(list(corrected(validation)))
    there = {row["item_id"] for row in found}
    there |= set() if held_out is None else set(held_out["item_id"].to_pylist())
    split = TRAIN if items.num_rows and items["split"].null_count < items.num_rows else None
    # of an item that is there, an answer that was not heard is of an image before the catalog's
    new = {
        row["item_id"]: {**row, "split": split}
        for row in given
        if row["annotation_id"] not in heard
        and row["item_id"] not in there
        and row["answer"] != Answer.REJECTED
    }
    return Taught(
        items=_as_items([*found, *new.values()]),
        validation=held_out,
        corrected=sum(was_labelled),
        added=len(was_labelled) - sum(was_labelled) + len(new),
        rejected=sum(row["answer"] == Answer.REJECTED for row in given),
    )


def _keys(row: Row) -> tuple[str, str]:
    return f"id {row['item_id']}", f"at {row['uri']}"


def _same_image(item: Row, answer: Row) -> bool:
    if item["etag"] and answer["etag"]:
        return bool(item["etag"] == answer["etag"])
    return bool(item["uri"] == answer["uri"])


def _as_items(rows: list[Row]) -> pa.Table:
    named = [{name: row.get(name) for name in ITEM_SCHEMA.names} for row in rows]
    return pa.Table.from_pylist(named, schema=ITEM_SCHEMA).sort_by("item_id")
