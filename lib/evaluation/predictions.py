"""A table of predictions: what a model said of items whose label is known, one row per item.

Whatever is said of a model follows from this table, so it is kept: beside a bundle for the items
held out of its training, and in the folder of each evaluation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.batches import to_parquet
from lib.reasons import ErrorItem
from lib.storage.storage import Storage

PREDICTIONS_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("category_id", pa.string(), nullable=False),  # the truth
        pa.field("predicted", pa.string(), nullable=False),  # the most probable leaf
        pa.field("confidence", pa.float32()),  # its probability
        # in the order of the leaves in the schema's metadata; null where only the best are known
        pa.field("probabilities", pa.list_(pa.float32())),
        pa.field("fold", pa.int32()),  # that the item was held out in; null for a fixed model
        # what was made of it: a leaf or a category above one, and accept, parent or review
        pa.field("label", pa.string()),
        pa.field("decision", pa.string()),
    ]
)
LEAVES_KEY = b"reshelve.leaves"

Floats = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Answered:
    """What was said of items, of `PREDICTIONS_SCHEMA`, and the items that were left out."""

    predictions: pa.Table
    left_out: list[ErrorItem]


def make_predictions(
    items: pa.Table,
    leaves: Sequence[str],
    probabilities: Floats,
    *,
    folds: Ints | None = None,
    decided: pa.Table | None = None,
) -> pa.Table:
    """Put what a model said of labelled items into a table of `PREDICTIONS_SCHEMA`.

    Args:
        items: n items, columns of `ITEM_SCHEMA`, each with its true category_id.
        leaves: category ids of the columns of probabilities; they stand in the schema's metadata.
        probabilities: float32 [n, leaves], calibrated.
        folds: int [n], where items were held out in turn.
        decided: columns category_id and decision, n rows, where labels were made of them.
    """
    count, width = probabilities.shape
    best = probabilities.argmax(axis=1) if count else np.empty(0, np.int64)
    ends = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    values = pa.array(np.ascontiguousarray(probabilities, np.float32).reshape(-1))
    nothing = pa.nulls(count, pa.string())
    columns = [
        items["item_id"],
        items["uri"],
        items["etag"],
        items["category_id"],
        pa.array(leaves, pa.string()).take(pa.array(best)),
        pa.array(np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0], pa.float32()),
        pa.ListArray.from_arrays(ends, values),
        pa.nulls(count, pa.int32()) if folds is None else pa.array(folds, pa.int32()),
        nothing if decided is None else decided["category_id"],
        nothing if decided is None else decided["decision"],
    ]
    schema = PREDICTIONS_SCHEMA.with_metadata({LEAVES_KEY: json.dumps([*leaves]).encode()})
    return pa.table(columns, schema=schema)


def probabilities_of(predictions: pa.Table) -> tuple[tuple[str, ...], Floats] | None:
    """Return the leaves, and the probabilities float32 [n, leaves]; None where they are not known.

    Args:
        predictions: of `PREDICTIONS_SCHEMA`.
    """
    metadata = predictions.schema.metadata or {}
    column = predictions["probabilities"].combine_chunks()
    if LEAVES_KEY not in metadata or column.null_count:
        return None
    leaves = tuple(json.loads(metadata[LEAVES_KEY]))
    return leaves, column.flatten().to_numpy(zero_copy_only=False).reshape(-1, len(leaves))


def probability_of_truth(predictions: pa.Table) -> list[float | None]:
    """Return what each item's true category was given, from 0 to 1; None where that is not known.

    Args:
        predictions: of `PREDICTIONS_SCHEMA`.
    """
    whole = probabilities_of(predictions)
    if whole is None:
        return [None] * predictions.num_rows
    leaves, probabilities = whole
    column = {leaf: at for at, leaf in enumerate(leaves)}
    return [
        float(probabilities[row, column[truth]]) if truth in column else None
        for row, truth in enumerate(predictions["category_id"].to_pylist())
    ]


def in_common(ours: pa.Table, theirs: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the rows of two tables of predictions whose items are in both, in the same order."""
    ours = ours.filter(pc.is_in(ours["item_id"], theirs["item_id"].combine_chunks()))
    place = pc.index_in(ours["item_id"], theirs["item_id"].combine_chunks())
    return ours, theirs.take(place)


def write_predictions(uri: str, storage: Storage, predictions: pa.Table) -> None:
    """Write a table of predictions as Parquet, in one atomic step."""
    storage.write(uri, to_parquet(predictions))
