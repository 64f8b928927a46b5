"""The items of a labels table, each with the place of its embedding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.embeddings.index import PLACE, Places
from lib.embeddings.store import KEY_SCHEMA
from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle
from lib.schemas import LABELS_SCHEMA
from lib.search.nearest import Nearest, open_nearest
from lib.sql import open_duckdb, read_rows, streamed
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

# `name` where the table has one
SHOWN = ("item_id", "uri", "name", "category_id", "category_path", "decision", "confidence")
FEW_VALUES = ("category_id", "category_path", "decision")  # kept once each
# an image that is stored twice has one place
PLACED = """
    SELECT l.* EXCLUDE (etag), s.place FROM labels l JOIN (
        SELECT uri, etag, min(place) AS place FROM stored GROUP BY uri, etag
    ) s ON s.uri = l.uri AND s.etag IS NOT DISTINCT FROM l.etag
    ORDER BY s.place, l.item_id"""
Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class Items:
    """Items that have an embedding.

    Attributes:
        rows: columns `SHOWN`, by falling place; without `name` where none is known.
        places: int64 [n], ascending; items of one image share one.
    """

    rows: pa.Table
    places: Places

    def row_of(self, item_id: str) -> int | None:
        """Return the row of an item, or None where it has no embedding."""
        row = pc.index(self.rows["item_id"], item_id).as_py()
        return None if row < 0 else int(row)

    def at(self, places: Places) -> Iterator[tuple[int, int]]:
        """Yield for each place its position in `places`, and each row that it has."""
        firsts = np.searchsorted(self.places, places, side="left").tolist()
        lasts = np.searchsorted(self.places, places, side="right").tolist()
        for position, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
            for row in range(first, last):
                yield position, row

    def with_names(self, names: Mapping[str, str]) -> "Items":
        """Return the same items with names from elsewhere, by item id."""
        found = [names.get(item_id) for item_id in self.rows["item_id"].to_pylist()]
        rows = self.rows.drop_columns(["name"]) if "name" in self.rows.column_names else self.rows
        named = rows.append_column("name", pa.array(found, pa.string()))
        return Items(rows=named, places=self.places)


def open_items(
    table: LabelsTable, embeddings: str, bundle: Bundle, storage: Storage
) -> tuple[Items, Nearest]:
    """Open the items of a labels table and the embeddings of a bundle's backbone.

    Args:
        table: whose items can be found.
        embeddings: the folder that keeps the embeddings.
        bundle: whose backbone made them.
        storage: how to reach them.

    Raises:
        InputError: there is no such table, or no embedding of its items.
        StoreError: a store does not answer.
    """
    folder = join(absolute(embeddings), bundle.backbone_digest)
    if not storage.versions(folder):
        raise InputError(_why_none(embeddings, bundle, storage))
    nearest = open_nearest(folder, storage)
    items = place_items(table, nearest)
    if not len(items.places):
        raise InputError(
            f"{table.name}: no item of the table has an embedding in {folder}; "
            "`reshelve embed RUN.yaml` makes those of a catalog"
        )
    return items, nearest


def _why_none(embeddings: str, bundle: Bundle, storage: Storage) -> str:
    if not storage.names(absolute(embeddings)):
        return (
            f"{embeddings}: there are no embeddings here; `reshelve embed RUN.yaml` makes them, "
            "and so does a night whose run file names `embeddings`"
        )
    return (
        f"{embeddings}: these embeddings are of another backbone than that of {bundle.uri}, which "
        f"is {bundle.backbone_digest[:12]}; name the bundle that made them, or make its own by "
        "`reshelve embed RUN.yaml`"
    )


def place_items(table: LabelsTable, nearest: Nearest) -> Items:
    """Find the place of each item of a labels table; those without an embedding are left out.

    Raises:
        InputError: there is no such table, or a file is damaged, or gone.
        StoreError: the store does not answer.
    """
    columns = [name for name in (*SHOWN, "etag") if name in LABELS_SCHEMA.names]
    schema = pa.schema([LABELS_SCHEMA.field(name) for name in columns])
    stored = KEY_SCHEMA.append(PLACE)
    with (
        open_duckdb() as connection,
        streamed(connection, "labels", schema, table.batches(None, columns)),
        streamed(connection, "stored", stored, nearest.read_places()),
    ):
        found = pa.Table.from_batches(
            map(_compact, read_rows(connection, PLACED, {})),
            _compact(pa.RecordBatch.from_pylist([], schema=_without_etag(schema))).schema,
        )
    places = found["place"].to_numpy()
    return Items(rows=found.drop_columns(["place"]).unify_dictionaries(), places=places)


def _without_etag(schema: pa.Schema) -> pa.Schema:
    kept = [field.remove_metadata() for field in schema if field.name != "etag"]
    return pa.schema([*kept, PLACE])


def _compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Keep values that come again and again once each."""
    columns = [
        column.dictionary_encode() if name in FEW_VALUES else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
