"""What every catalog's items pass: each has an id and a uri, and no id stands twice."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from lib.batches import Batches
from lib.errors import InputError


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
