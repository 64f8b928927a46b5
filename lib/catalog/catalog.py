"""Catalogs: a prefix, a Parquet or CSV manifest, or an S3 Inventory, read as a stream of items."""

import posixpath
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet
from pydantic import ValidationInfo, field_validator

from lib.batches import Batches, regroup
from lib.catalog.checks import make_snapshot
from lib.catalog.csv_dialect import parse_options, why_unreadable
from lib.catalog.listing import IMAGE_SUFFIXES, list_prefix
from lib.catalog.s3_inventory import is_inventory, read_inventory
from lib.config.config import Config
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA
from lib.storage.allowlist import store_of
from lib.storage.errors import explained
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

MANIFEST_SUFFIXES = (".parquet", ".csv")
BATCH_ROWS = 50_000
CSV_BLOCK_BYTES = 8 << 20  # of CSV at a time; no row may be longer


class CatalogConfig(Config):
    """Where items come from.

    `uri` ending in .parquet or .csv is a manifest with a `uri` column, one ending in manifest.json
    an S3 Inventory, anything else a prefix. `prefix` takes of an inventory only the keys below it.
    `labels: folder` takes the folder that an image lies in as its category id.
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
        listed = not uri.endswith(MANIFEST_SUFFIXES) and not is_inventory(uri)
        return uri if listed else None

    @field_validator("prefix")
    @classmethod
    def _of_an_inventory(cls, prefix: str | None, info: ValidationInfo) -> str | None:
        if prefix is not None and not is_inventory(str(info.data.get("uri"))):
            raise ValueError(
                "belongs to an S3 Inventory, whose 'uri' ends in manifest.json; leave it out"
            )
        return prefix


def read_catalog(config: CatalogConfig, storage: Storage) -> pa.Table:
    """Freeze a catalog in memory: the columns of `ITEM_SCHEMA`, sorted by `item_id`.

    `lib.catalog.snapshot` does the same on disk, for catalogs of any length.

    Raises:
        InputError: it cannot be read, is empty, or an item has no uri or another's id.
    """
    items = pa.Table.from_batches(iterate_catalog(config, storage), ITEM_SCHEMA)
    return make_snapshot(items, config.uri)


def iterate_catalog(config: CatalogConfig, storage: Storage) -> Batches:
    """Read a catalog as a stream of items, in any order and not checked against each other.

    Raises:
        InputError: it cannot be read.
    """
    uri = absolute(config.uri)
    if uri.endswith(MANIFEST_SUFFIXES):
        if config.labels == "folder":
            raise InputError(f"{config.uri}: a manifest has its labels in the column category_id")
        items = _read_manifest(uri, storage)
    elif is_inventory(uri):
        items = read_inventory(uri, storage, config.prefix, config.suffixes)
    else:
        items = list_prefix(uri, storage, config.suffixes)
    for batch in regroup(items, BATCH_ROWS):
        labelled = _label_by_folder(batch, config.uri) if config.labels == "folder" else batch
        yield _with_composed_labels(labelled, config.uri)


def labels_of(items: pa.Table) -> Sequence[str]:
    """Distinct category ids of the items that have one, sorted."""
    return sorted(pc.unique(items["category_id"].drop_null()).to_pylist())


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


def _with_composed_labels(items: pa.RecordBatch, source: str) -> pa.RecordBatch:
    """Write labels in Unicode's composed form, as taxonomies have them; ids and URIs stay."""
    index = items.schema.get_field_index("category_id")
    try:
        labels = pc.utf8_normalize(items.column(index), form="NFC")
    except pa.ArrowInvalid:
        raise InputError(f"{source}: a category_id is not text in UTF-8; expected an id") from None
    return items.set_column(index, ITEM_SCHEMA.field("category_id"), labels)


def _read_manifest(uri: str, storage: Storage) -> Batches:
    filesystem, path = storage.open(uri)
    with explained(uri):
        file = filesystem.open(path, "rb")
    with file:
        try:
            batches = (_open_csv if uri.endswith(".csv") else _open_parquet)(file, uri)
            for batch in batches:
                yield _to_items(batch, uri)
        except (pa.ArrowException, OSError) as error:
            why = why_unreadable(error)
            raise InputError(f"{uri}: the manifest cannot be read: {why}") from None


def _open_csv(file: Any, uri: str) -> csv.CSVStreamingReader:  # noqa: ANN401  # fsspec has no types
    as_text = csv.ConvertOptions(
        column_types={f.name: f.type for f in ITEM_SCHEMA},
        null_values=[""],  # "NA" and "null" are words like others
        strings_can_be_null=True,
    )
    start = file.read(2 * CSV_BLOCK_BYTES)
    parse, blocks = parse_options(start), csv.ReadOptions(block_size=CSV_BLOCK_BYTES)
    head = csv.open_csv(pa.BufferReader(start), blocks, parse, as_text)
    names = _check_names(head.schema.names, uri)
    # columns that no one asked for may hold anything: one type here and another further down
    as_text.include_columns = [name for name in ITEM_SCHEMA.names if name in names]
    file.seek(0)
    return csv.open_csv(file, blocks, parse, as_text)


def _open_parquet(file: Any, uri: str) -> Batches:  # noqa: ANN401  # fsspec has no types
    whole = parquet.ParquetFile(file)
    names = _check_names(whole.schema_arrow.names, uri)
    wanted = [name for name in ITEM_SCHEMA.names if name in names]
    yield from whole.iter_batches(BATCH_ROWS, columns=wanted)


def _check_names(names: Sequence[str], uri: str) -> Sequence[str]:
    if "uri" not in names:
        found = ", ".join(names)
        raise InputError(f"{uri}: a manifest needs the column 'uri'; this one has: {found}")
    if twice := [name for name in ITEM_SCHEMA.names if names.count(name) > 1]:
        raise InputError(f"{uri}: the manifest has the column '{twice[0]}' twice")
    return names


def _to_items(batch: pa.RecordBatch, uri: str) -> pa.RecordBatch:
    columns = {}
    for field in ITEM_SCHEMA:
        no_id = field.name == "item_id" and field.name not in batch.schema.names
        column = "uri" if no_id else field.name
        if column not in batch.schema.names:
            columns[field.name] = pa.nulls(batch.num_rows, field.type)
            continue
        try:
            columns[field.name] = batch[column].cast(field.type)
        except pa.ArrowException:
            kind = batch[column].type
            raise InputError(f"{uri}: column '{column}' is {kind}, not {field.type}") from None
    columns["uri"] = _resolve(columns["uri"], posixpath.dirname(uri))
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=ITEM_SCHEMA)


def _resolve(uris: pa.Array, folder: str) -> pa.Array:
    """Take uris that are neither absolute nor URLs as relative to the manifest's folder."""
    whole = pc.or_(pc.starts_with(uris, "/"), pc.match_substring(uris, "://"))
    below = pc.binary_join_element_wise(join(folder, ""), uris, "")
    return pc.if_else(pc.or_kleene(whole, pc.equal(uris, "")), uris, below)
