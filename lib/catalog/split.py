"""Labelled items into training and validation: the catalog's own split, or a stable one."""

import hashlib
from collections import Counter, defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.catalog.left_out import LeftOut
from lib.errors import InputError
from lib.storage.storage import Storage

TRAIN, VALIDATION = "train", "validation"


def read_sides(
    catalog: CatalogConfig,
    validation: CatalogConfig | None,
    fraction: float,
    storage: Storage,
    left_out: LeftOut | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Read the labelled items to train on, and those held out: a given catalog's, or a share.

    `left_out` learns what lies in the catalogs' places and is no item.

    Raises:
        InputError: a catalog cannot be used, or cannot be split.
    """
    items, unseen = read_both(catalog, validation, storage, left_out)
    return to_sides(items, unseen, fraction, catalog.uri)


def read_both(
    catalog: CatalogConfig,
    validation: CatalogConfig | None,
    storage: Storage,
    left_out: LeftOut | None = None,
) -> tuple[pa.Table, pa.Table | None]:
    """Read a catalog, and the one that is held out, if any; raises as `read_sides`."""
    items = read_catalog(catalog, storage, left_out)
    return items, validation and read_catalog(validation, storage, left_out)


def to_sides(
    items: pa.Table, held_out: pa.Table | None, fraction: float, source: str
) -> tuple[pa.Table, pa.Table]:
    """Return the labelled items to train on, and those held out; raises as `split_items`."""
    if held_out is None:
        return split_items(items, fraction, source)
    train, unseen = (side.filter(pc.is_valid(side["category_id"])) for side in (items, held_out))
    return train, unseen


def split_items(
    items: pa.Table, validation_fraction: float, source: str
) -> tuple[pa.Table, pa.Table]:
    """Split labelled items into training and validation; items without a label are left out.

    Where the catalog has a column `split`, it is followed. Else the items of each category with
    the lowest hashes of their ids are held out: the share is right in every category, and an item
    stays on its side when others come and go.

    Raises:
        InputError: a side is empty, or `split` holds something else than train, validation, test.
    """
    labelled = items.filter(pc.is_valid(items["category_id"]))
    if labelled["split"].null_count < labelled.num_rows:
        unknown = set(pc.unique(labelled["split"].drop_null()).to_pylist()) - {
            TRAIN,
            VALIDATION,
            "test",
        }
        if unknown:
            raise InputError(
                f"{source}: an item's split is '{min(unknown)}'; known: train, validation, test"
            )
        held_out = pc.equal(labelled["split"], VALIDATION)
        training = pc.equal(labelled["split"], TRAIN)
    else:
        held_out = pa.array(_hold_out(labelled, validation_fraction), pa.bool_())
        training = pc.invert(held_out)
    train, validation = labelled.filter(training), labelled.filter(held_out)
    if not train.num_rows or not validation.num_rows:
        raise InputError(
            f"{source}: labelled items to train on: {train.num_rows}, to validate with: "
            f"{validation.num_rows}; both are needed, with a category_id each"
        )
    return train, validation


def _hold_out(items: pa.Table, fraction: float) -> list[bool]:
    categories = items["category_id"].to_pylist()
    hashed: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
    for row, (item_id, category_id) in enumerate(
        zip(items["item_id"].to_pylist(), categories, strict=True)
    ):
        hashed[category_id].append((hashlib.sha256(item_id.encode()).digest(), row))
    counts = Counter(categories)
    chosen: set[int] = set()
    for category_id, rows in hashed.items():
        # a category with two items has one on each side
        held = min(max(round(fraction * counts[category_id]), 1), counts[category_id] - 1)
        chosen.update(row for _, row in sorted(rows)[:held])
    return [row in chosen for row in range(items.num_rows)]
