"""Items as Arrow tables: the columns of a snapshot, and the checks that every catalog passes."""

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


def make_snapshot(items: pa.Table, source: str) -> pa.Table:
    """Sort items by `item_id`, and check that the ids and the uris are there and ids are unique.

    Raises:
        InputError: an id or uri is missing or an id stands twice; names the place or the id.
    """
    if items.num_rows == 0:
        raise InputError(f"{source}: the catalog has no items")
    for column in ("uri", "item_id"):
        empty = pc.or_kleene(pc.is_null(items[column]), pc.equal(items[column], ""))
        if pc.any(empty).as_py():
            row = pc.index(empty, value=True).as_py()
            raise InputError(f"{source}: item {row + 1} has no {column}")
    snapshot = items.sort_by("item_id").combine_chunks()
    ids = snapshot["item_id"]
    if items.num_rows > 1:
        twice = pc.equal(ids.slice(1), ids.slice(0, items.num_rows - 1))
        if pc.any(twice).as_py():
            item_id = ids[pc.index(twice, value=True).as_py()].as_py()
            raise InputError(f"{source}: item_id '{item_id}' stands in the catalog twice")
    return snapshot
