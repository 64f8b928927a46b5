"""A fixed sample of a catalog of any length: the items whose ids have the lowest hashes."""

import hashlib
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from lib.catalog.catalog import CatalogConfig, iterate_catalog
from lib.catalog.checks import checked, make_snapshot
from lib.schemas import ITEM_SCHEMA
from lib.storage.storage import Storage


def sample_catalog(
    config: CatalogConfig, storage: Storage, most: int, without: Collection[str] = ()
) -> pa.Table:
    """Read some items of a catalog, the same ones each time, without their labels.

    Args:
        config: the catalog.
        storage: how to reach it.
        most: how many items at most.
        without: URIs of images that are left out.

    Returns:
        Columns of `ITEM_SCHEMA`, sorted by `item_id`; `category_id` is null.

    Raises:
        InputError: the catalog cannot be read, is empty, or an item has no uri.
    """
    left_out = pa.array(sorted(without), pa.string())
    found = ITEM_SCHEMA.empty_table()
    hashes: list[bytes] = []
    for batch in checked(iterate_catalog(config, storage), config.uri):
        kept = batch.filter(pc.invert(pc.is_in(batch["uri"], left_out)))
        found = pa.concat_tables([found, pa.Table.from_batches([kept])])
        hashes += [hashlib.sha256(each.encode()).digest() for each in kept["item_id"].to_pylist()]
        if len(hashes) > most:
            lowest = sorted(range(len(hashes)), key=hashes.__getitem__)[:most]
            found, hashes = found.take(pa.array(lowest)), [hashes[place] for place in lowest]
    column = ITEM_SCHEMA.get_field_index("category_id")
    nothing = pa.nulls(found.num_rows, ITEM_SCHEMA.field(column).type)
    unlabelled = found.set_column(column, ITEM_SCHEMA.field(column), nothing)
    return make_snapshot(unlabelled, config.uri) if unlabelled.num_rows else unlabelled
