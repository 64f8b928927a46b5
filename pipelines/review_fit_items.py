"""The labelled items that a head is fitted on, and those that can judge the old one and the new."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pyarrow import parquet

from lib.backfill.score_unit import scorer_of
from lib.catalog.catalog import CatalogConfig, labels_of, read_catalog
from lib.embeddings.lookup import look_up
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle
from lib.review.teach import Taught
from lib.runs import files
from lib.schemas import ITEM_SCHEMA, LABELS_SCHEMA
from lib.storage.storage import Storage
from lib.storage.uris import join
from pipelines.train_labelled import Labelled, as_labelled

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Keys = list[tuple[str, str]]  # item and image


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the old head may have seen.

    Attributes:
        items: labelled items beside the answers, of `ITEM_SCHEMA`.
        held_out: what stands beside the old bundle of items that were held out, or None.
    """

    items: pa.Table
    held_out: pa.Table | None


def read_known(catalog: CatalogConfig | None, old: Bundle, storage: Storage) -> Known:
    """Read the labelled items beside the answers, and what the old bundle said of held-out ones."""
    beside = old.uri.rsplit("/", 1)[0]
    held_out = join(old.uri, files.HELD_OUT)
    said = None
    if storage.exists(held_out):
        said = parquet.read_table(pa.BufferReader(storage.read(held_out)))
    if catalog is not None:
        items = read_catalog(catalog, storage)
        old.taxonomy.check_labels(labels_of(items), catalog.uri)
        return Known(items=items, held_out=said)
    sides = [join(beside, name) for name in (files.TRAIN_ITEMS, files.VALIDATION_ITEMS)]
    tables = [
        parquet.read_table(pa.BufferReader(storage.read(side))).select(ITEM_SCHEMA.names)
        for side in sides
        if storage.exists(side)
    ]
    items = pa.concat_tables([ITEM_SCHEMA.empty_table(), *tables])
    old.taxonomy.check_labels(labels_of(items), beside)
    return Known(items=items, held_out=said)


def named(answers: pa.Table, labels: LabelsTable) -> pa.Table:
    """Put the titles of their items beside answers."""
    wanted = answers["item_id"].combine_chunks()
    columns = ("item_id", "name")
    schema = pa.schema([LABELS_SCHEMA.field(name) for name in columns])
    batches = labels.batches(None, columns)
    some = [each.filter(pc.is_in(each["item_id"], wanted)) for each in batches]
    found = pa.Table.from_batches(some, schema)
    names = dict(zip(found["item_id"].to_pylist(), found["name"].to_pylist(), strict=True))
    return answers.append_column(
        "name", pa.array([names.get(each) for each in wanted.to_pylist()], pa.string())
    )


def embedded(taught: Taught, old: Bundle, store: EmbeddingStore) -> tuple[Labelled, int]:
    """Return the labelled items that have an embedding, and how many have none.

    Raises:
        InputError: a category has no item, or all have one alone.
    """
    items = taught.items.filter(pc.is_valid(taught.items["category_id"]))
    rows, vectors = look_up(items, store)
    if items.num_rows and not len(rows):
        raise InputError(
            f"none of {items.num_rows:,} labelled items has an embedding in {store.uri}; 'reshelve "
            "embed' makes them"
        )
    order = np.argsort(rows.to_numpy())
    found = items.take(rows.take(pa.array(order)))
    embeddings = torch.from_numpy(np.ascontiguousarray(vectors[order]))
    labelled = as_labelled(found, embeddings, set(), old.taxonomy.leaves, {})
    return labelled, items.num_rows - found.num_rows


def right_before_and_after(
    predictions: pa.Table, known: Known, old: Bundle, store: EmbeddingStore
) -> tuple[Bools, Bools]:
    """Say which items the old and the new head are right about, of those that neither has seen.

    What the old head was fitted on, it has seen, except where it was held out in turn; what it said
    of those stands beside its bundle.
    """
    keys = _keys(predictions)
    said: dict[tuple[str, str], str] = {}
    if known.held_out is not None:
        predicted_then = known.held_out["predicted"].to_pylist()
        said = dict(zip(_keys(known.held_out), predicted_then, strict=True))
    labelled = known.items.filter(pc.is_valid(known.items["category_id"]))
    seen = set(_keys(labelled))
    new = [row for row, key in enumerate(keys) if key not in seen and key not in said]
    asked = predictions.take(pa.array(new, pa.int64()))
    rows, vectors = look_up(asked, store)
    if len(rows):
        scored = scorer_of(old, store.storage).score(vectors, asked["name"].take(rows))
        best = [each[0]["category_id"] for each in scored["top_k"].to_pylist()]
        said |= {keys[new[row]]: leaf for row, leaf in zip(rows.to_pylist(), best, strict=True)}
    both = [row for row, key in enumerate(keys) if key in said]
    truth, predicted = (predictions[name].to_pylist() for name in ("category_id", "predicted"))
    before = np.array([said[keys[row]] == truth[row] for row in both], np.bool_)
    after = np.array([predicted[row] == truth[row] for row in both], np.bool_)
    return before, after


def _keys(items: pa.Table) -> Keys:
    columns = (items[name].to_pylist() for name in ("item_id", "etag", "uri"))
    return [(item_id, etag or uri) for item_id, etag, uri in zip(*columns, strict=True)]
