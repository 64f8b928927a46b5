"""Items of a manifest's rows, as the programs of the world write them."""

import posixpath
import re
import textwrap
from collections.abc import Sequence
from functools import partial
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from lib.batches import Batches
from lib.catalog.manifest_rows import read_rows
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA
from lib.storage.storage import Storage
from lib.storage.uris import join

SHOWN_LETTERS = 200  # of the columns that a manifest has in the place of its uris
FILE_NAME = "file_name"  # what Hugging Face's image folders call the uri
TYPES = {field.name: field.type for field in ITEM_SCHEMA}
FILE_URL = re.compile(r"file:(?://(?:localhost)?)?(?=/(?!/))", re.IGNORECASE)  # RFC 8089


def read_manifest(uri: str, parts: Sequence[str], storage: Storage) -> Batches:
    """Read a manifest as a stream of items; without a column `item_id`, the uri is the id.

    Args:
        uri: absolute; relative uris in it stand below the folder that it lies in.
        parts: its files.
        storage: how to reach them.

    Raises:
        InputError: it cannot be read, or has no column of uris.
    """
    for part in parts:
        for batch in read_rows(part, storage, partial(_wanted, part), TYPES):
            yield _to_items(batch, part, posixpath.dirname(uri))


def _wanted(uri: str, names: Sequence[str]) -> Sequence[str]:
    known = [*ITEM_SCHEMA.names, *([] if "uri" in names else [FILE_NAME])]
    if "uri" not in names and FILE_NAME not in names:
        # a broken file may have a line, or all of itself, for a name
        found = textwrap.shorten(", ".join(names), SHOWN_LETTERS, placeholder=" ...")
        raise InputError(f"{uri}: a manifest needs the column 'uri'; this one has: {found}")
    if twice := [name for name in known if names.count(name) > 1]:
        raise InputError(f"{uri}: the manifest has the column '{twice[0]}' twice")
    return [name for name in known if name in names]


def _to_items(batch: pa.RecordBatch, part: str, folder: str) -> pa.RecordBatch:
    there = batch.schema.names
    uri = "uri" if "uri" in there else FILE_NAME
    names = {"uri": uri} if "item_id" in there else {"uri": uri, "item_id": uri}
    columns = {}
    for field in ITEM_SCHEMA:
        column = names.get(field.name, field.name)
        if column not in there:
            columns[field.name] = pa.nulls(batch.num_rows, field.type)
            continue
        try:
            columns[field.name] = batch[column].cast(field.type)
        except pa.ArrowException:
            kind = batch[column].type
            raise InputError(f"{part}: column '{column}' is {kind}, not {field.type}") from None
        check_text(columns[field.name], column, part)
    columns["uri"] = _resolve(columns["uri"], folder)
    # HTTP has an etag in quotes, and so do boto3 and the aws command; S3's listing here has not
    columns["etag"] = pc.replace_substring_regex(columns["etag"], '^(?:W/)?"(.*)"$', r"\1")
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=ITEM_SCHEMA)


def check_text(values: pa.Array, column: str, uri: str) -> None:
    """Refuse a column that a Parquet file calls text though it is not.

    Raises:
        InputError: names the column.
    """
    try:
        values.validate(full=True)
    except pa.ArrowException:
        raise InputError(f"{uri}: column '{column}' is not text in UTF-8") from None


def _resolve(uris: pa.Array, folder: str) -> pa.Array:
    """Take uris that are neither absolute nor URLs as relative to the manifest's folder."""
    local = pc.starts_with(uris, "file:", ignore_case=True)
    if pc.any(local).as_py():
        paths = pa.array([_local(each) for each in uris.filter(local).to_pylist()], pa.string())
        uris = pc.replace_with_mask(uris, pc.fill_null(local, False), paths)  # noqa: FBT003  # the value of a missing one
    whole = pc.or_(pc.starts_with(uris, "/"), pc.match_substring(uris, "://"))
    below = pc.binary_join_element_wise(join(folder, ""), uris, "")
    return pc.if_else(pc.or_kleene(whole, pc.equal(uris, "")), uris, below)


def _local(uri: str) -> str:
    """Return the path that a file URL names; one that is a path behind `file://` stays as it is."""
    if uri.startswith("file:///") and "%" not in uri:
        return uri
    if not (start := FILE_URL.match(uri)):
        return uri  # on another machine, or relative
    try:
        return unquote(uri[start.end() :], errors="strict")
    except UnicodeDecodeError:
        return uri
