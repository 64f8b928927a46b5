"""Arrow tables and streams of batches: regrouped by rows, in units, and serialised."""

import io
import itertools
from collections.abc import Generator, Iterable, Iterator

import pyarrow as pa
from pyarrow import parquet

FIRST_UNITS = (16, 16, 32, 32, 64, 64, 128, 128, 256, 256)  # an actor has two at once

Batches = Generator[pa.RecordBatch, None, None]


def regroup(items: Iterable[pa.RecordBatch], rows: int) -> Batches:
    """Pass rows on in batches of `rows` rows each; the last has the rest."""
    yield from _regroup(items, itertools.repeat(rows))


def in_units(items: Iterable[pa.RecordBatch], rows: int) -> Batches:
    """Pass rows on in units of `rows` rows each; the first are small, and the last has the rest.

    The first labels come seconds earlier so, and with them whatever is wrong with all of them.
    """
    small = [size for size in FIRST_UNITS if size < rows]
    yield from _regroup(items, itertools.chain(small, itertools.repeat(rows)))


def _regroup(items: Iterable[pa.RecordBatch], sizes: Iterator[int]) -> Batches:
    waiting: list[pa.RecordBatch] = []
    count, size = 0, next(sizes)
    for batch in items:
        waiting.append(batch)
        count += batch.num_rows
        if count < size:
            continue
        whole, start = pa.concat_batches(waiting), 0
        while count >= size:
            yield whole.slice(start, size)
            start, count, size = start + size, count - size, next(sizes)
        waiting = [whole.slice(start)] if count else []
    if count:
        yield pa.concat_batches(waiting)


def to_parquet(table: pa.Table) -> bytes:
    """Serialise a table, keeping its schema and metadata."""
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
