"""Items as Arrow tables and streams: the columns of a snapshot, and what every catalog passes."""

import itertools
from collections.abc import Generator, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from lib.errors import InputError

ITEM_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("name", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("split", pa.string()),  # train or validation, where the catalog says
    ]
)
FIRST_UNITS = (64, 64, 128, 128, 256, 256)  # an actor has two at once

Batches = Generator[pa.RecordBatch, None, None]


def make_snapshot(items: pa.Table, source: str) -> pa.Table:
    """Sort items by `item_id`, and check that the ids and the uris are there and ids are unique.

    Raises:
        InputError: an id or uri is missing or an id stands twice; names the place or the id.
    """
    items = pa.Table.from_batches(checked(items.to_batches(), source), items.schema)
    snapshot = items.sort_by("item_id").combine_chunks()
    return pa.Table.from_batches(unique(snapshot.to_batches(), source), items.schema)


def checked(items: Iterable[pa.RecordBatch], source: str) -> Batches:
    """Pass items on, once each of them is seen to have an id and a uri.

    Raises:
        InputError: an id or uri is missing, or there is no item at all.
    """
    before = 0
    for batch in items:
        for column in ("uri", "item_id"):
            empty = pc.or_kleene(pc.is_null(batch[column]), pc.equal(batch[column], ""))
            if (row := pc.index(empty, value=True).as_py()) >= 0:
                raise InputError(f"{source}: item {before + row + 1} has no {column}")
        before += batch.num_rows
        yield batch
    if not before:
        raise InputError(f"{source}: the catalog has no items")


def unique(items: Iterable[pa.RecordBatch], source: str) -> Batches:
    """Pass sorted items on, once each id is seen to stand there alone.

    Raises:
        InputError: an id stands twice.
    """
    last = pa.array([], pa.string())
    for batch in items:
        ids = pa.concat_arrays([last, batch["item_id"]])
        twice = pc.equal(ids.slice(1), ids.slice(0, max(len(ids) - 1, 0)))
        if (row := pc.index(twice, value=True).as_py()) >= 0:
            raise InputError(f"{source}: item_id '{ids[row]}' stands in the catalog twice")
        last = ids.slice(max(len(ids) - 1, 0))
        yield batch


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
