"""Catalogs: a prefix, a manifest, or an S3 Inventory, read as a stream of items."""

import re
from collections.abc import Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationInfo, field_validator

from lib.batches import Batches, regroup
from lib.catalog.checks import make_snapshot
from lib.catalog.image_keys import NoImagesError
from lib.catalog.left_out import LeftOut
from lib.catalog.listing import IMAGE_SUFFIXES, list_prefix
from lib.catalog.manifest import read_manifest
from lib.catalog.manifest_files import manifest_files
from lib.catalog.manifest_kind import kind_of
from lib.catalog.s3_inventory import is_inventory, read_inventory
from lib.config.config import Config
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA
from lib.storage.allowlist import store_of
from lib.storage.storage import Storage
from lib.storage.uris import absolute

BATCH_ROWS = 50_000


class CatalogConfig(Config):
    """Where items come from.

    `uri` is a manifest where `kind_of` knows its name or nothing but parts of one lie there; one
    ending in manifest.json is an S3 Inventory, anything else a prefix. `prefix` takes of an
    inventory only the keys below it. `labels: folder` takes the folder that an image lies in as its
    category id.
    """

    uri: str
    labels: Literal["folder"] | None = None
    suffixes: tuple[str, ...] = IMAGE_SUFFIXES
    prefix: str | None = None

    @property
    def store(self) -> str:
        """The store that its images lie in: its own, but an inventory may lie in another bucket."""
        return "s3://" if is_inventory(self.uri) else store_of(self.uri)

    @property
    def folder(self) -> str | None:
        """The absolute place below which all images are its items; None for a manifest's."""
        uri = absolute(self.uri)
        return None if kind_of(uri) or is_inventory(uri) else uri

    @field_validator("suffixes")
    @classmethod
    def _as_file_names_end(cls, suffixes: tuple[str, ...]) -> tuple[str, ...]:
        """Take `.JPG`, `jpg` and `*.jpg` for the same."""
        return tuple(dict.fromkeys(map(_suffix, suffixes)))

    @field_validator("prefix")
    @classmethod
    def _of_an_inventory(cls, prefix: str | None, info: ValidationInfo) -> str | None:
        if prefix is not None and not is_inventory(str(info.data.get("uri"))):
            raise ValueError(
                "belongs to an S3 Inventory, whose 'uri' ends in manifest.json; leave it out"
            )
        return prefix


def read_catalog(
    config: CatalogConfig, storage: Storage, left_out: LeftOut | None = None
) -> pa.Table:
    """Freeze a catalog in memory: the columns of `ITEM_SCHEMA`, sorted by `item_id`.

    `lib.catalog.snapshot` does the same on disk, for catalogs of any length. `left_out` learns what
    lies in its place and is no item.

    Raises:
        InputError: it cannot be read, is empty, or an item has no uri or another's id.
    """
    items = pa.Table.from_batches(iterate_catalog(config, storage, left_out), ITEM_SCHEMA)
    return make_snapshot(items, config.uri)


def iterate_catalog(
    config: CatalogConfig, storage: Storage, left_out: LeftOut | None = None
) -> Batches:
    """Read a catalog as a stream of items, in any order and not checked against each other.

    Args:
        config: the catalog.
        storage: how to reach it.
        left_out: learns, once all is read, what lies in its place and is no item.

    Raises:
        InputError: it cannot be read.
    """
    uri = absolute(config.uri)
    left_out = left_out or LeftOut()
    if kind_of(uri):
        items = _of_manifest(config, uri, manifest_files(uri, storage), storage)
    elif is_inventory(uri):
        items = read_inventory(uri, storage, config.prefix, config.suffixes, left_out)
    else:
        items = _below(config, uri, storage, left_out)
    for batch in regroup(items, BATCH_ROWS):
        labelled = _label_by_folder(batch, config.uri) if config.labels == "folder" else batch
        yield _with_composed_labels(labelled)


def labels_of(items: pa.Table) -> Sequence[str]:
    """Distinct category ids of the items that have one, sorted."""
    return sorted(pc.unique(items["category_id"].drop_null()).to_pylist())


def _below(config: CatalogConfig, uri: str, storage: Storage, left_out: LeftOut) -> Batches:
    """Read the images below a prefix; where there are none, the manifest whose parts lie there."""
    try:
        yield from list_prefix(uri, storage, config.suffixes, left_out)
    except NoImagesError:
        if not (parts := manifest_files(uri, storage)):
            raise
        yield from _of_manifest(config, uri, parts, storage)


def _of_manifest(
    config: CatalogConfig, uri: str, parts: Sequence[str], storage: Storage
) -> Batches:
    if config.labels == "folder":
        raise InputError(f"{config.uri}: a manifest has its labels in the column category_id")
    return read_manifest(uri, parts, storage)


def _suffix(name: str) -> str:
    end = name.strip().lower().removeprefix("*").removeprefix(".")
    if end in ("", "*"):
        return "*"
    if not re.fullmatch(r"[^./*?\[\]]+", end):
        raise ValueError('should hold ends of file names, as .jpg; "*" takes all')
    return f".{end}"


def _label_by_folder(items: pa.RecordBatch, source: str) -> pa.RecordBatch:
    found = pc.extract_regex(items["item_id"], r"(?P<folder>[^/]+)/+[^/]*$").field("folder")
    folders = pc.if_else(pc.is_valid(found), found, "")
    if (row := pc.index(folders, value="").as_py()) >= 0:
        raise InputError(
            f"{source}: '{items['item_id'][row]}' lies in no category folder; with "
            "'labels: folder' each image lies in a folder named by its category id"
        )
    index = items.schema.get_field_index("category_id")
    return items.set_column(index, ITEM_SCHEMA.field("category_id"), folders)


def _with_composed_labels(items: pa.RecordBatch) -> pa.RecordBatch:
    """Write labels in Unicode's composed form, as taxonomies have them; ids and URIs stay."""
    index = items.schema.get_field_index("category_id")
    labels = pc.utf8_normalize(items.column(index), form="NFC")
    return items.set_column(index, ITEM_SCHEMA.field("category_id"), labels)
