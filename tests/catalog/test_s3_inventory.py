import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.config.config import load_config
from lib.errors import InputError
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket

STORAGE = Storage(StorageConfig())
KEYS = ("shop/hat/a b+c.jpg", "shop/hat/100%.jpg", "shop/ü/é.PNG", "shop/notes.txt", "x/y.jpg")


@dataclass(frozen=True)
class Entry:
    key: str
    size: int | None = 5
    etag: str | None = "abc"
    latest: bool = True
    deleted: bool = False


def csv_file(entries: Sequence[Entry]) -> bytes:
    lines = []
    for e in entries:
        flags = [str(e.latest).lower(), str(e.deleted).lower()]
        size = "" if e.size is None else str(e.size)
        fields = ["source", quote_plus(e.key, safe="/"), "v1", *flags, size, e.etag or ""]
        lines.append(",".join(f'"{field}"' for field in fields) + "\n")
    return gzip.compress("".join(lines).encode())


def parquet_file(entries: Sequence[Entry]) -> bytes:
    file = io.BytesIO()
    columns = {
        "bucket": pa.array(["source" for _ in entries]),
        "key": pa.array([e.key for e in entries]),
        "is_latest": pa.array([e.latest for e in entries]),
        "is_delete_marker": pa.array([e.deleted for e in entries]),
        "size": pa.array([e.size for e in entries], pa.int64()),
        "e_tag": pa.array([e.etag for e in entries]),
    }
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def describe(files: dict[str, bytes], kind: str, **others: str) -> bytes:
    """An inventory's manifest, with the keys that S3 writes."""
    schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag"
    manifest: dict[str, Any] = {
        "sourceBucket": "source",
        "destinationBucket": ".",
        "version": "2016-11-30",
        "creationTimestamp": "1795000000000",
        "fileFormat": kind,
        "fileSchema": schema if kind == "CSV" else "message s3.inventory { ... }",
        "files": [
            {"key": name, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}  # noqa: S324  # S3's choice
            for name, data in files.items()
        ],
    }
    return json.dumps(manifest | others).encode()


def inventory(folder: Path, entries: Sequence[Entry], kind: str = "CSV", **others: str) -> str:
    """Write an inventory to local disk, in two files."""
    pack, suffix = {"CSV": (csv_file, "csv.gz"), "Parquet": (parquet_file, "parquet")}[kind]
    files = {f"data/{n}.{suffix}": pack(entries[n::2]) for n in range(min(2, len(entries)))}
    (folder / "data").mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_bytes(describe(files, kind, **others))
    return str(folder / "manifest.json")


def read(uri: str, **options: Any) -> pa.Table:  # noqa: ANN401  # whatever the model takes
    return read_catalog(CatalogConfig(uri=uri, **options), STORAGE)


def refusal(uri: str, **options: Any) -> str:  # noqa: ANN401  # whatever the model takes
    with pytest.raises(InputError) as caught:
        read(uri, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(params=["CSV", "Parquet"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_images_of_an_inventory_are_items_of_its_bucket(tmp_path: Path, kind: str) -> None:
    table = read(inventory(tmp_path, [Entry("b/a.jpg", 7, "e1"), Entry("readme.txt")], kind))
    assert table.select(["item_id", "uri", "etag", "size"]).to_pylist() == [
        {"item_id": "b/a.jpg", "uri": "s3://source/b/a.jpg", "etag": "e1", "size": 7}
    ]


def test_keys_of_any_letters_are_read_as_they_are(tmp_path: Path, kind: str) -> None:
    keys = sorted(["a b.jpg", "a+b.jpg", "a%20b.jpg", 'ü"x",y.jpg', "a//b.jpg", "\ta\n.jpg"])
    assert read(inventory(tmp_path, [Entry(k) for k in keys], kind))["item_id"].to_pylist() == keys


def test_only_the_latest_versions_that_exist_are_items(tmp_path: Path, kind: str) -> None:
    entries = [
        Entry("a.jpg", etag="new"),
        Entry("a.jpg", etag="old", latest=False),
        Entry("b.jpg", None, None, deleted=True),
        Entry("b.jpg", latest=False),
    ]
    assert read(inventory(tmp_path, entries, kind))["etag"].to_pylist() == ["new"]


def test_an_inventory_of_one_version_each_needs_no_flags(tmp_path: Path) -> None:
    data = gzip.compress(b'"source","a.jpg","5","abc"\n')
    (tmp_path / "x.csv.gz").write_bytes(data)
    text = describe({"x.csv.gz": data}, "CSV", fileSchema="Bucket, Key, Size, ETag")
    (tmp_path / "manifest.json").write_bytes(text)
    assert read(str(tmp_path / "manifest.json"))["item_id"].to_pylist() == ["a.jpg"]


@pytest.mark.parametrize("prefix", ["shop", "shop/", "/shop/"])
def test_a_prefix_takes_the_keys_below_it_and_names_them_from_there(
    tmp_path: Path, kind: str, prefix: str
) -> None:
    uri = inventory(tmp_path, [Entry("shop/hat/a.jpg"), Entry("shopping/b.jpg")], kind)
    assert read(uri, prefix=prefix, labels="folder").select(
        ["item_id", "uri", "category_id"]
    ).to_pylist() == [
        {"item_id": "hat/a.jpg", "uri": "s3://source/shop/hat/a.jpg", "category_id": "hat"}
    ]


@pytest.mark.parametrize("uri", ["s3://shop/images", "items.csv"])
def test_a_prefix_beside_anything_but_an_inventory_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match=r"run.yaml, line 2: 'prefix' belongs to an S3 Inventory"):
        load_config(CatalogConfig, f"uri: {uri}\nprefix: shop\n", "run.yaml")
    with pytest.raises(ValidationError):
        CatalogConfig(uri=uri, prefix="shop")


def test_an_inventory_with_nothing_below_the_prefix_says_so(tmp_path: Path) -> None:
    uri = inventory(tmp_path, [Entry("a.jpg")])
    assert refusal(uri, prefix="shop").startswith(f"{uri}: no file lies below this prefix")


def test_an_inventory_of_other_files_says_what_they_are(tmp_path: Path, kind: str) -> None:
    uri = inventory(tmp_path, [Entry("a.txt"), Entry("b")], kind)
    assert "left out: 1 .txt, 1 file without a suffix" in refusal(uri)


def test_a_file_that_is_not_the_manifests_is_refused(tmp_path: Path, kind: str) -> None:
    uri = inventory(tmp_path, [Entry("a.jpg"), Entry("b.jpg")], kind)
    [file, *_] = (tmp_path / "data").iterdir()
    file.write_bytes(file.read_bytes() + b" ")
    assert refusal(uri).startswith(f"{file}: the inventory file cannot be read: its MD5 is ")


def test_a_file_that_is_missing_is_named(tmp_path: Path, kind: str) -> None:
    uri = inventory(tmp_path, [Entry("a.jpg"), Entry("b.jpg")], kind)
    [file, *_] = (tmp_path / "data").iterdir()
    file.unlink()
    assert refusal(uri) == f"{file}: the inventory file is not there"


@pytest.mark.parametrize(
    "data",
    [b"no gzip, no Parquet", gzip.compress(b'"a","b"\n'), gzip.compress(b"x" * 999)[:-12]],
    ids=["of another kind", "of too few columns", "cut off"],
)
def test_a_file_that_is_damaged_is_named(tmp_path: Path, kind: str, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    (tmp_path / "manifest.json").write_bytes(describe({"x": data}, kind))
    assert refusal(str(tmp_path / "manifest.json")).startswith(
        f"{tmp_path}/x: the inventory file cannot be read: "
    )


def test_an_inventory_without_etags_says_what_it_needs(tmp_path: Path) -> None:
    uri = inventory(tmp_path, [Entry("a.jpg")], fileSchema="Bucket, Key, V, L, D, Size, Class")
    assert refusal(uri).endswith("it has no 'etag'; an inventory needs Key, Size and ETag")


def test_orc_is_refused_by_name(tmp_path: Path) -> None:
    uri = inventory(tmp_path, [Entry("a.jpg")], fileFormat="ORC")
    assert refusal(uri) == f"{uri}: the inventory is in ORC; have S3 write it as Parquet or CSV"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "the inventory's manifest is damaged: it is not whole JSON"),
        ("[]", "this is no manifest of an S3 Inventory: 'manifest'"),
        ("{}", "this is no manifest of an S3 Inventory: 'sourceBucket' is missing"),
    ],
)
def test_a_manifest_that_is_none_says_so(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    uri = str(tmp_path / "manifest.json")
    assert refusal(uri).startswith(f"{uri}: {says}")


@pytest.fixture
def filled(s3: Bucket) -> Bucket:
    for number, key in enumerate(KEYS):
        s3.put(key, bytes(number + 1))
    return s3


def test_a_bucket_reads_the_same_from_its_listing_a_manifest_and_an_inventory(
    filled: Bucket, kind: str
) -> None:
    listed = read(f"{filled.uri}/shop")
    found = filled.server.client.list_objects_v2(Bucket=filled.name)["Contents"]
    entries = [Entry(each["Key"], each["Size"], each["ETag"].strip('"')) for each in found]
    data = (csv_file if kind == "CSV" else parquet_file)(entries)
    arn = f"arn:aws:s3:::{filled.name}"
    filled.put("inventory/data/x", data)
    text = describe(
        {"inventory/data/x": data}, kind, sourceBucket=filled.name, destinationBucket=arn
    )
    filled.put("inventory/manifest.json", text)
    file = io.BytesIO()
    parquet.write_table(listed, file)
    filled.put("items.parquet", file.getvalue())

    assert read(f"{filled.uri}/inventory/manifest.json", prefix="shop") == listed
    assert read(f"{filled.uri}/items.parquet") == listed


def test_a_manifest_in_a_store_names_a_bucket(filled: Bucket) -> None:
    filled.put("manifest.json", describe({}, "CSV"))
    assert refusal(f"{filled.uri}/manifest.json").endswith(
        "'destinationBucket' is '.', not arn:aws:s3:::bucket"
    )


def test_a_file_that_is_missing_in_a_bucket_is_named(filled: Bucket) -> None:
    arn = f"arn:aws:s3:::{filled.name}"
    filled.put("manifest.json", describe({"none.csv.gz": b""}, "CSV", destinationBucket=arn))
    assert refusal(f"{filled.uri}/manifest.json") == f"{filled.uri}/none.csv.gz: not found"
