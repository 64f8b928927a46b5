"""Catalogs: an object-store prefix, or a Parquet or CSV manifest, read into a table of items."""

import posixpath
from collections.abc import Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from lib.config import Config
from lib.errors import InputError
from lib.items import ITEM_SCHEMA, make_snapshot
from lib.listing import IMAGE_SUFFIXES, list_prefix
from lib.storage import Storage, absolute, join

MANIFEST_SUFFIXES = (".parquet", ".csv")


class CatalogConfig(Config):
    """Where items come from.

    `uri` ending in .parquet or .csv is a manifest with a `uri` column; anything else is a prefix.
    `labels: folder` takes the folder that an image lies in as its category id.
    """

    uri: str
    labels: Literal["folder"] | None = None
    suffixes: tuple[str, ...] = IMAGE_SUFFIXES


def read_catalog(config: CatalogConfig, storage: Storage) -> pa.Table:
    """Freeze a catalog: its items with the columns of `ITEM_SCHEMA`, sorted by `item_id`.

    Raises:
        InputError: it cannot be read, is empty, or an item has no uri or another's id.
    """
    uri = absolute(config.uri)
    if uri.endswith(MANIFEST_SUFFIXES):
        if config.labels == "folder":
            raise InputError(f"{config.uri}: a manifest has its labels in the column category_id")
        items = _read_manifest(uri, storage)
    else:
        items = list_prefix(uri, storage, config.suffixes)
        if config.labels == "folder":
            items = _label_by_folder(items, config.uri)
    return make_snapshot(items, config.uri)


def labels_of(items: pa.Table) -> Sequence[str]:
    """Distinct category ids of the items that have one, sorted."""
    return sorted(pc.unique(items["category_id"].drop_null()).to_pylist())


def _label_by_folder(items: pa.Table, source: str) -> pa.Table:
    folders = [posixpath.basename(posixpath.dirname(i)) for i in items["item_id"].to_pylist()]
    if "" in folders:
        item_id = items["item_id"][folders.index("")].as_py()
        raise InputError(
            f"{source}: '{item_id}' lies in no category folder; with 'labels: folder' each image "
            "lies in a folder named by its category id"
        )
    index = items.schema.get_field_index("category_id")
    return items.set_column(index, ITEM_SCHEMA.field("category_id"), pa.array(folders, pa.string()))


def _read_manifest(uri: str, storage: Storage) -> pa.Table:
    data = pa.BufferReader(storage.read(uri))
    try:
        if uri.endswith(".csv"):
            as_text = csv.ConvertOptions(
                column_types={f.name: f.type for f in ITEM_SCHEMA},
                null_values=[""],  # "NA" and "null" are words like others
                strings_can_be_null=True,
            )
            titles = csv.ParseOptions(newlines_in_values=True)
            table = csv.read_csv(data, parse_options=titles, convert_options=as_text)
        else:
            table = parquet.read_table(data)
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{uri}: the manifest cannot be read: {first}") from None
    if "uri" not in table.column_names:
        found = ", ".join(table.column_names)
        raise InputError(f"{uri}: a manifest needs the column 'uri'; this one has: {found}")
    if twice := [n for n in ITEM_SCHEMA.names if table.column_names.count(n) > 1]:
        raise InputError(f"{uri}: the manifest has the column '{twice[0]}' twice")
    columns = {}
    for field in ITEM_SCHEMA:
        name = "uri" if field.name == "item_id" and field.name not in table.column_names else None
        column = name or field.name
        if column not in table.column_names:
            columns[field.name] = pa.nulls(table.num_rows, field.type)
            continue
        try:
            columns[field.name] = table[column].cast(field.type)
        except pa.ArrowException:
            kind = table[column].type
            raise InputError(f"{uri}: column '{column}' is {kind}, not {field.type}") from None
    columns["uri"] = _resolve(columns["uri"], posixpath.dirname(uri))
    return pa.table(columns, schema=ITEM_SCHEMA)


def _resolve(uris: pa.ChunkedArray, folder: str) -> pa.ChunkedArray:
    """Take uris that are neither absolute nor URLs as relative to the manifest's folder."""
    whole = pc.or_(pc.starts_with(uris, "/"), pc.match_substring(uris, "://"))
    below = pc.binary_join_element_wise(join(folder, ""), uris, "")
    return pc.if_else(pc.or_kleene(whole, pc.equal(uris, "")), uris, below)
