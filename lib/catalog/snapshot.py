"""Freezes a catalog of any length into a snapshot: one sorted Parquet file, in bounded memory."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.batches import Batches, regroup
from lib.catalog.catalog import CatalogConfig, iterate_catalog
from lib.catalog.checks import checked, unique
from lib.catalog.left_out import LeftOut
from lib.errors import ReshelveError
from lib.schemas import ITEM_SCHEMA
from lib.sql import open_duckdb, streamed
from lib.storage.local import appearing
from lib.storage.storage import Storage

ROW_GROUP_ROWS = 100_000


@dataclass(frozen=True)
class Frozen:
    """A snapshot on disk: how many items, what they are, and the labels that stand in it.

    `left_out` counts what lay in the catalog's place and is no item, by kind.
    """

    path: Path
    items: int
    digest: str
    labels: tuple[str, ...]
    left_out: Mapping[str, int]


class ItemsDigest:
    """A sha256 of items in their order, however they are grouped, compressed or held in memory.

    Each column of `ITEM_SCHEMA` has two streams of bytes. A text column: its values' UTF-8 one
    after the other, and their lengths in bytes, -1 for a missing one. A column of numbers: its
    values, 0 for a missing one, and 1 or -1 for whether it is there. Numbers are little-endian
    int64. The digest is the sha256 of the lines `column values-sha256 lengths-sha256`.
    """

    def __init__(self) -> None:
        """Begin with no items."""
        self._hashes = {name: (hashlib.sha256(), hashlib.sha256()) for name in ITEM_SCHEMA.names}

    def update(self, batch: pa.RecordBatch) -> None:
        """Add items."""
        for name, (values, lengths) in self._hashes.items():
            column = batch[name]
            if pa.types.is_string(column.type):
                # a missing value's place in the buffer may hold anything; an empty text holds none
                text = pc.fill_null(column, "")
                ends = np.frombuffer(text.buffers()[1], np.int32)[text.offset :][: len(text) + 1]
                if text.buffers()[2] is not None:
                    values.update(memoryview(text.buffers()[2])[ends[0] : ends[-1]])
                there = pc.fill_null(pc.binary_length(column), -1)
            else:
                values.update(_little_endian(pc.fill_null(column, 0)))
                there = pc.if_else(pc.is_valid(column), 1, -1)
            lengths.update(_little_endian(there))

    def hexdigest(self) -> str:
        """Digest of all items so far."""
        pairs = self._hashes.items()
        lines = [f"{name} {v.hexdigest()} {n.hexdigest()}\n" for name, (v, n) in pairs]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def freeze(
    config: CatalogConfig,
    storage: Storage,
    path: Path,
    limit: int | None = None,
    count: Callable[[int], None] = lambda _: None,
) -> Frozen:
    """Write the snapshot of a catalog to a file on local disk, which is there whole or not at all.

    Args:
        config: the catalog.
        storage: how to reach it.
        path: the snapshot's file; its folder is made.
        limit: keep so many items, the first by `item_id`.
        count: is told how many items more were found, while they are.

    Raises:
        InputError: the catalog cannot be read, is empty, or an item has no uri or another's id.
        ReshelveError: there is no room to sort it.
    """
    digest, items, labels = ItemsDigest(), 0, set[str]()
    left_out = LeftOut()
    with (
        appearing(path) as temporary,
        parquet.ParquetWriter(temporary, ITEM_SCHEMA, compression="zstd") as writer,
        closing(_counted(iterate_catalog(config, storage, left_out), config.uri, count)) as found,
        open_duckdb() as duck,
    ):
        ordered = unique(_sort(found, duck, config.uri), config.uri)
        for batch in regroup(_first(ordered, limit), ROW_GROUP_ROWS):
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
            digest.update(batch)
            items += batch.num_rows
            labels.update(pc.unique(batch["category_id"].drop_null()).to_pylist())
    return Frozen(path, items, digest.hexdigest(), tuple(sorted(labels)), left_out.counts)


def _counted(items: Batches, source: str, count: Callable[[int], None]) -> Batches:
    for batch in checked(items, source):
        count(batch.num_rows)
        yield batch


def _sort(found: Batches, duck: duckdb.DuckDBPyConnection, source: str) -> Batches:
    with streamed(duck, "items", ITEM_SCHEMA, found):
        try:
            ordered = duck.sql("select * from items order by item_id")  # by bytes: the default
            for batch in ordered.to_arrow_reader(ROW_GROUP_ROWS):
                yield pa.RecordBatch.from_arrays(batch.columns, schema=ITEM_SCHEMA)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            first = str(error).splitlines()[0]
            raise ReshelveError(
                f"{source}: the catalog cannot be sorted: {first}; the folder for temporary files "
                "is TMPDIR's"
            ) from error


def _first(batches: Batches, limit: int | None) -> Batches:
    for batch in batches:
        yield batch if limit is None else batch.slice(0, limit)
        limit = None if limit is None else limit - batch.num_rows
        if limit is not None and limit <= 0:
            return


def _little_endian(numbers: pa.Array) -> bytes:
    values: np.ndarray[tuple[int], np.dtype[np.int64]] = numbers.to_numpy(zero_copy_only=False)
    return values.astype("<i8").tobytes()
