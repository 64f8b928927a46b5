"""A fixed sample of items with what the model made of them, kept to be compared with others."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.batches import to_parquet
from lib.embeddings.store import EMBEDDING, Embeddings, to_matrix, to_table

SAMPLE_ITEMS = 2_000  # with embeddings of 1,280 values, 5 MB

# of the items' most probable leaf; null where it is not known
PREDICTED = ("category_id", "confidence")
SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("confidence", pa.float32()),
    ]
)

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Sample:
    """The items of a larger set whose ids have the lowest hashes, in the order of the hashes.

    The same items are chosen each time, and any slice of a sample is a fair sample as well.

    Attributes:
        table: columns of `SCHEMA`, and `embedding` as a store has it, where embeddings are kept.
    """

    table: pa.Table

    def __len__(self) -> int:
        """How many items."""
        return int(self.table.num_rows)

    @property
    def category_ids(self) -> list[str] | None:
        """The leaf of each item, or None where that is not known."""
        column = self.table["category_id"]
        return None if column.null_count else column.to_pylist()

    @property
    def confidences(self) -> Floats | None:
        """The calibrated probability of each item's leaf, float32 [n], or None with the leaves."""
        column = self.table["confidence"]
        return None if column.null_count else column.to_numpy()

    @property
    def embeddings(self) -> Embeddings | None:
        """float16 [n, d], or None where none are kept."""
        if EMBEDDING not in self.table.column_names:
            return None
        return to_matrix(self.table[EMBEDDING].combine_chunks())

    @property
    def without_predictions(self) -> "Sample":
        """The same items for another head: their embeddings alone."""
        table = self.table
        for name in PREDICTED:
            place, field = table.schema.get_field_index(name), SCHEMA.field(name)
            table = table.set_column(place, field, pa.nulls(table.num_rows, field.type))
        return Sample(table)

    def to_parquet(self) -> bytes:
        """Serialise it."""
        return to_parquet(self.table)


def read_sample(data: bytes) -> Sample:
    """Read what `Sample.to_parquet` has written.

    Raises:
        ValueError: it is something else.
        OSError: it is no Parquet, or damaged.
    """
    table = parquet.read_table(pa.BufferReader(data))
    if lacking := [name for name in SCHEMA.names if name not in table.column_names]:
        raise ValueError(f"it has no column '{lacking[0]}'")
    for field in SCHEMA:
        if (kind := table.schema.field(field.name).type) != field.type:
            raise ValueError(f"its column '{field.name}' is {kind}, not {field.type}")
    if EMBEDDING in table.column_names:
        column = table[EMBEDDING]
        if not pa.types.is_fixed_size_binary(column.type) or column.null_count:
            raise ValueError(f"its column '{EMBEDDING}' is {column.type}, or has gaps")
    return Sample(table)


def sample_of(
    item_ids: Sequence[str],
    category_ids: Sequence[str],
    confidences: Floats,
    embeddings: Embeddings | None,
) -> Sample:
    """Choose the sample of a set of items, such as those that a bundle was trained on.

    Args:
        item_ids: n ids.
        category_ids: n predicted leaves, best by a model that has not seen the item.
        confidences: float32 [n], calibrated, of the same predictions.
        embeddings: float16 [n, d] of the bundle's backbone, or None.
    """
    ids, unknown = pa.array(item_ids, pa.string()), pa.nulls(len(item_ids), pa.string())
    leaves = pa.array(category_ids, pa.string())
    table = pa.table(
        [ids, unknown, leaves, pa.array(confidences, pa.float32())],
        schema=SCHEMA,
    )
    if embeddings is not None:
        kept = to_table(ids, unknown, embeddings)
        table = table.append_column(kept.schema.field(EMBEDDING), kept[EMBEDDING])
    return Sample(_lowest(table))


def together(samples: Iterable[Sample]) -> Sample | None:
    """Make one sample of several, or None of no item; what not all of them have is left out."""
    tables = [each.table for each in samples if len(each)]
    if not tables:
        return None
    if not all(EMBEDDING in table.column_names for table in tables):
        tables = [table.select(SCHEMA.names) for table in tables]
    return Sample(_lowest(pa.concat_tables(tables)))


class Sampler:
    """Chooses a run's sample while its labels go by, and then its embeddings."""

    def __init__(self) -> None:
        """Begin with no item."""
        self._table, self._below = SCHEMA.empty_table(), b"\xff" * 33  # above any hash
        self._embeddings: dict[str, bytes] | None = None

    def add(self, rows: pa.Table) -> None:
        """Take in some of the run's rows, of `LABELS_SCHEMA`; those of errors are left out."""
        hashes = _hashes(rows["item_id"])
        low = pa.array([each < self._below for each in hashes], pa.bool_())
        rows = rows.filter(pc.and_(low, pc.is_valid(rows["category_id"])))
        if not rows.num_rows:
            return
        best = pc.list_element(rows["top_k"], 0)
        leaf, probability = (pc.struct_field(best, n) for n in ("category_id", "probability"))
        found = pa.table([rows["item_id"], rows["uri"], leaf, probability], schema=SCHEMA)
        self._table = pa.concat_tables([self._table, found])
        if self._table.num_rows > 2 * SAMPLE_ITEMS:  # not at each step: it hashes all of them
            self._table = _lowest(self._table)
            self._below = _hashes(self._table["item_id"][-1:])[0]

    def watch(self, embeddings: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Pass on all of the run's embeddings, with the columns of a store; keep the sample's."""
        self._table = _lowest(self._table)
        wanted, self._embeddings = self._table["uri"].combine_chunks(), {}
        for table in embeddings:
            # one run reads an image in one version, so its URI is key enough
            found = table.filter(pc.is_in(table["uri"], value_set=wanted))
            pairs = zip(found["uri"].to_pylist(), found[EMBEDDING].to_pylist(), strict=True)
            self._embeddings.update(pairs)
            yield table

    @property
    def sample(self) -> Sample:
        """The sample of what went by."""
        table = _lowest(self._table)
        if not self._embeddings:
            return Sample(table)
        width = len(next(iter(self._embeddings.values())))
        found = [self._embeddings.get(uri) for uri in table["uri"].to_pylist()]
        column = pa.array(found, pa.binary(width))
        table = table.append_column(EMBEDDING, column)
        return Sample(table.filter(pc.is_valid(table[EMBEDDING])))


def _lowest(table: pa.Table) -> pa.Table:
    hashes = _hashes(table["item_id"])
    order = sorted(range(len(hashes)), key=hashes.__getitem__)[:SAMPLE_ITEMS]
    return table.take(pa.array(order, pa.int64())).combine_chunks()


def _hashes(item_ids: pa.ChunkedArray) -> list[bytes]:
    return [hashlib.sha256(each.encode()).digest() for each in item_ids.to_pylist()]
