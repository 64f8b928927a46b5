"""S3 Inventory: the list of a bucket's objects that S3 writes every day, read as items."""

import hashlib
import json
import posixpath
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.batches import Batches
from lib.catalog.image_keys import Images
from lib.catalog.left_out import LeftOut
from lib.catalog.parallel import gather
from lib.config.value_words import complaint
from lib.errors import InputError
from lib.storage.errors import explained
from lib.storage.storage import Storage
from lib.storage.uris import join, local_path, protocol_of

FILES_AT_A_TIME = 3
BATCH_ROWS = 50_000
INVENTORY_BLOCK_BYTES = 4 << 20
BUCKET_ARN = re.compile(r"arn:[\w-]+:s3:::(?P<bucket>.+)")
# by their names in Parquet without "_", which are those in CSV in lower case
TYPES = {
    "key": pa.string(),
    "size": pa.int64(),
    "etag": pa.string(),
    "islatest": pa.bool_(),
    "isdeletemarker": pa.bool_(),
}
NEEDED = ("key", "size", "etag")


class _File(BaseModel):
    key: str
    md5: str = Field(alias="MD5checksum", pattern="^[0-9a-fA-F]{32}$")


class _Manifest(BaseModel):
    """What of an inventory's manifest is used."""

    model_config = ConfigDict(extra="ignore")

    source_bucket: str = Field(alias="sourceBucket")
    destination_bucket: str = Field(alias="destinationBucket")
    file_format: Literal["CSV", "Parquet"] = Field(alias="fileFormat")
    file_schema: str = Field(alias="fileSchema")
    files: tuple[_File, ...]


def is_inventory(uri: str) -> bool:
    """Say whether a catalog's URI is that of an S3 Inventory's manifest."""
    return uri.endswith("manifest.json")


def read_inventory(
    uri: str, storage: Storage, prefix: str | None, suffixes: tuple[str, ...], left_out: LeftOut
) -> Batches:
    """Read the images that an inventory lists: the latest versions of those that were not deleted.

    Its files lie in the bucket `destinationBucket`; where the manifest is a local file, that may be
    a folder too, relative to the manifest's. A few are read at a time, and compared with their
    MD5.

    Args:
        uri: the inventory's manifest.json.
        storage: how to reach it.
        prefix: take the keys below this; `item_id` is the path below it, or the whole key.
        suffixes: which files are images, in lower case; "*" takes all.
        left_out: learns in the end which objects are no items.

    Raises:
        InputError: manifest or files cannot be read, or no image is among the objects.
    """
    manifest = _parse(storage.read(uri), uri)
    folder = _folder_of_files(manifest, uri)
    root = prefix.strip("/") + "/" if prefix and prefix.strip("/") else ""
    images = Images(root, f"s3://{manifest.source_bucket}/", suffixes)

    def read_file(file: _File, _: Callable[[_File], None]) -> Batches:
        name = join(folder, file.key)
        with _on_disk(name, storage) as path, _read_errors(name):
            _verify(path, file.md5)
            batches = _read_csv if manifest.file_format == "CSV" else _read_parquet
            for batch in batches(path, manifest.file_schema):
                yield images.take(*_latest(batch))

    yield from gather(manifest.files, read_file, FILES_AT_A_TIME)
    images.require_one(uri)
    left_out.add(images.left_out.counts)


def _parse(data: bytes, uri: str) -> _Manifest:
    try:
        found = json.loads(data)
    except ValueError:
        raise InputError(
            f"{uri}: the inventory's manifest is damaged: it is not whole JSON"
        ) from None
    if isinstance(found, dict) and found.get("fileFormat") == "ORC":
        raise InputError(f"{uri}: the inventory is in ORC; have S3 write it as Parquet or CSV")
    try:
        return _Manifest.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "manifest"
        raise InputError(
            f"{uri}: this is no manifest of an S3 Inventory: '{key}' {complaint(first)}"
        ) from None


def _folder_of_files(manifest: _Manifest, uri: str) -> str:
    if arn := BUCKET_ARN.fullmatch(manifest.destination_bucket):
        return f"s3://{arn['bucket']}"
    if protocol_of(uri) == "file":
        folder = posixpath.dirname(local_path(uri))
        return posixpath.normpath(posixpath.join(folder, manifest.destination_bucket))
    raise InputError(
        f"{uri}: 'destinationBucket' is '{manifest.destination_bucket}', not arn:aws:s3:::bucket"
    )


@contextmanager
def _on_disk(uri: str, storage: Storage) -> Iterator[Path]:
    """Yield a file's path on local disk, where it is copied to unless it is there already."""
    if protocol_of(uri) == "file":
        yield Path(local_path(uri))
        return
    filesystem, path = storage.open(uri)
    with tempfile.NamedTemporaryFile(prefix="reshelve-") as copy:
        with explained(uri), filesystem.open(path, "rb") as file:
            shutil.copyfileobj(file, copy, INVENTORY_BLOCK_BYTES)
        copy.flush()
        yield Path(copy.name)


@contextmanager
def _read_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: the inventory file is not there") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: the inventory file cannot be read: {first}") from None


def _verify(path: Path, md5: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5.lower():
        raise ValueError(f"its MD5 is {found}, in the manifest it is {md5}")


def _read_csv(path: Path, schema: str) -> Batches:
    names = [name.strip() for name in schema.split(",")]
    wanted = _columns(names)
    options = csv.ConvertOptions(
        include_columns=list(wanted.values()),
        column_types={wanted[name]: kind for name, kind in TYPES.items() if name in wanted},
        null_values=[""],
        strings_can_be_null=True,
    )
    blocks = csv.ReadOptions(column_names=names, block_size=INVENTORY_BLOCK_BYTES)
    with (
        pa.input_stream(path, compression="gzip" if _is_gzip(path) else None) as file,
        csv.open_csv(file, blocks, convert_options=options) as batches,
    ):
        for batch in batches:
            found = batch.rename_columns(list(wanted))
            index = found.schema.get_field_index("key")
            yield found.set_column(index, "key", _decoded(found["key"]))


def _read_parquet(path: Path, _: str) -> Batches:
    with parquet.ParquetFile(path) as file:
        wanted = _columns(file.schema_arrow.names)
        for batch in file.iter_batches(BATCH_ROWS, columns=list(wanted.values())):
            yield batch.select(list(wanted.values())).rename_columns(list(wanted))


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _columns(names: Sequence[str]) -> dict[str, str]:
    """Columns to read by what they are called here."""
    called = {name.lower().replace("_", ""): name for name in names}
    if missing := [name for name in NEEDED if name not in called]:
        raise ValueError(f"it has no '{missing[0]}'; an inventory needs Key, Size and ETag")
    return {name: called[name] for name in TYPES if name in called}


def _decoded(keys: pa.Array) -> pa.Array:
    """Undo the URL encoding that a CSV inventory has for keys."""
    encoded = pc.match_substring_regex(keys, "[%+]")
    plain = [unquote_plus(key, errors="strict") for key in keys.filter(encoded).to_pylist()]
    return pc.replace_with_mask(keys, encoded, pa.array(plain, pa.string()))


def _latest(batch: pa.RecordBatch) -> tuple[pa.Array, pa.Array, pa.Array]:
    keep = pc.is_valid(batch["key"])
    if "islatest" in batch.schema.names:
        keep = pc.and_(keep, pc.fill_null(batch["islatest"], True))  # noqa: FBT003  # the value of a missing one
    if "isdeletemarker" in batch.schema.names:
        keep = pc.and_not(keep, pc.fill_null(batch["isdeletemarker"], False))  # noqa: FBT003  # the same
    kept = batch.filter(keep)
    return tuple(kept[name].cast(TYPES[name]) for name in ("key", "etag", "size"))
