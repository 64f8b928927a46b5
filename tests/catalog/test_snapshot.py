import hashlib
import struct
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from lib.catalog import snapshot as module
from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.catalog.snapshot import Frozen, ItemsDigest, freeze
from lib.errors import InputError, ReshelveError
from lib.schemas import ITEM_SCHEMA
from lib.sql import open_duckdb
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket

STORAGE = Storage(StorageConfig())
COUNT = 25_000


@pytest.fixture
def many(tmp_path: Path) -> str:
    """A manifest of many items in no order, some labelled."""
    numbers = [(number * 7_919) % COUNT for number in range(COUNT)]
    columns = {
        "item_id": [f"{number}é" for number in numbers],
        "uri": [f"/{number}.jpg" for number in numbers],
        "size": [None if number % 3 else number for number in numbers],
        "category_id": [None if number % 2 else f"c{number % 5}" for number in numbers],
        "name": ["" if number % 7 else None for number in numbers],
    }
    parquet.write_table(pa.table(columns), tmp_path / "items.parquet", row_group_size=4_000)
    return str(tmp_path / "items.parquet")


def frozen(uri: str, folder: Path, limit: int | None = None) -> Frozen:
    return freeze(CatalogConfig(uri=uri), STORAGE, folder / "out" / "snapshot.parquet", limit)


def refusal(uri: str, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        frozen(uri, folder)
    return str(caught.value)


def test_a_frozen_catalog_is_the_one_that_is_read(many: str, tmp_path: Path) -> None:
    found = frozen(many, tmp_path)
    expected = read_catalog(CatalogConfig(uri=many), STORAGE)
    assert parquet.read_table(found.path) == expected
    assert found.items == COUNT
    assert found.labels == ("c0", "c1", "c2", "c3", "c4")


def test_a_snapshot_has_the_schema_of_items_and_its_order(many: str, tmp_path: Path) -> None:
    file = parquet.ParquetFile(frozen(many, tmp_path).path)
    assert file.schema_arrow == ITEM_SCHEMA
    assert [f.nullable for f in file.schema_arrow] == [f.nullable for f in ITEM_SCHEMA]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    ids = file.read(["item_id"])["item_id"].to_pylist()
    assert ids == sorted(ids, key=str.encode)


def test_a_limit_keeps_the_first_by_id(many: str, tmp_path: Path) -> None:
    whole = parquet.read_table(frozen(many, tmp_path).path)
    some = frozen(many, tmp_path, limit=10)
    assert parquet.read_table(some.path) == whole.slice(0, 10)
    assert some.items == 10


def test_a_limit_larger_than_the_catalog_keeps_it_all(many: str, tmp_path: Path) -> None:
    assert frozen(many, tmp_path, limit=COUNT + 1) == frozen(many, tmp_path)


def test_row_groups_change_no_digest(
    many: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = frozen(many, tmp_path)
    monkeypatch.setattr(module, "ROW_GROUP_ROWS", 999)
    parts = frozen(many, tmp_path)
    assert parquet.ParquetFile(parts.path).num_row_groups == 26
    assert parts.digest == whole.digest


def test_a_digest_is_of_the_bytes_that_it_says(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,uri,size,name\nb,/b.jpg,,\na,/ä.jpg,7,x\n")
    nothing = (b"", struct.pack("<2q", -1, -1))
    columns = dict.fromkeys(ITEM_SCHEMA.names, nothing) | {
        "item_id": (b"ab", struct.pack("<2q", 1, 1)),
        "uri": ("/ä.jpg/b.jpg".encode(), struct.pack("<2q", 7, 6)),
        "size": (struct.pack("<2q", 7, 0), struct.pack("<2q", 1, -1)),
        "name": (b"x", struct.pack("<2q", 1, -1)),
    }
    lines = [
        f"{name} {hashlib.sha256(values).hexdigest()} {hashlib.sha256(lengths).hexdigest()}\n"
        for name, (values, lengths) in columns.items()
    ]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert frozen(str(tmp_path / "items.csv"), tmp_path).digest == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": ""}, {"name": None}),
        ({"size": 0}, {"size": None}),
        ({"name": "x"}, {"split": "x"}),
    ],
)
def test_what_differs_has_another_digest(one: dict[str, object], other: dict[str, object]) -> None:
    digests = []
    for values in (one, other):
        row = {**dict.fromkeys(ITEM_SCHEMA.names), "item_id": "a", "uri": "b", **values}
        digest = ItemsDigest()
        digest.update(pa.RecordBatch.from_pylist([row], ITEM_SCHEMA))
        digests.append(digest.hexdigest())
    assert digests[0] != digests[1]


def test_a_slice_has_the_digest_of_a_copy() -> None:
    rows = [
        {**dict.fromkeys(ITEM_SCHEMA.names), "item_id": f"{n}", "uri": f"u{n}", "size": n}
        for n in range(10)
    ]
    sliced, copied = ItemsDigest(), ItemsDigest()
    sliced.update(pa.RecordBatch.from_pylist(rows, ITEM_SCHEMA).slice(3, 4))
    copied.update(pa.RecordBatch.from_pylist(rows[3:7], ITEM_SCHEMA))
    assert sliced.hexdigest() == copied.hexdigest()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("uri\n", ": the catalog has no items"),
        ("uri,item_id\na,1\nb,2\nc,1\n", ": item_id '1' stands in the catalog twice"),
        ("item_id,uri\n1,a\n2,\n", ": item 2 has no uri"),
        ("item_id,uri\n1,a\n,b\n", ": item 2 has no item_id"),
    ],
)
def test_what_cannot_be_frozen_says_why_and_leaves_nothing(
    tmp_path: Path, text: str, says: str
) -> None:
    uri = tmp_path / "items.csv"
    uri.write_text(text)
    assert refusal(str(uri), tmp_path) == f"{uri}{says}"
    assert list((tmp_path / "out").iterdir()) == []


def test_an_id_that_stands_twice_is_seen_across_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROW_GROUP_ROWS", 2)
    (tmp_path / "items.csv").write_text("item_id,uri\n1,a\n2,b\n2,c\n3,d\n")
    assert refusal(str(tmp_path / "items.csv"), tmp_path).endswith(
        "item_id '2' stands in the catalog twice"
    )


def test_a_csv_manifest_longer_than_a_block_is_read_in_order_of_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.catalog.manifest_rows.BLOCK_BYTES", 1 << 12)
    ids = [f"{number:06}" for number in range(5_000)]
    # a column that no one asked for looks like numbers at first
    other = [number if number < 4_000 else "none" for number in range(5_000)]
    table = pa.table({"uri": ids[::-1], "other": [str(each) for each in other]})
    csv.write_csv(table, tmp_path / "items.csv")
    found = frozen(str(tmp_path / "items.csv"), tmp_path)
    assert parquet.read_table(found.path)["item_id"].to_pylist() == ids


def test_a_snapshot_stays_when_another_cannot_be_written(many: str, tmp_path: Path) -> None:
    before = frozen(many, tmp_path).path.read_bytes()
    (tmp_path / "none.csv").write_text("uri\n")
    refusal(str(tmp_path / "none.csv"), tmp_path)
    assert (tmp_path / "out" / "snapshot.parquet").read_bytes() == before


def test_a_sort_without_room_says_where_the_room_is_missing(
    many: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_duckdb", lambda: open_duckdb(memory_mb=1))
    with pytest.raises(ReshelveError, match=r"cannot be sorted: .* the folder for temporary files"):
        frozen(many, tmp_path)


@pytest.fixture
def spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that all temporary files go to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_does_not_fit_into_memory_is_sorted_on_disk_and_leaves_nothing(spilled: Path) -> None:
    seen = 0
    with open_duckdb(memory_mb=40, threads=1) as duck:
        query = "select md5(range::varchar) as id from range(2000000) order by id"
        for batch in duck.sql(query).to_arrow_reader(10_000):
            seen += batch.num_rows
        assert list(spilled.iterdir())
    assert seen == 2_000_000
    assert list(spilled.iterdir()) == []


def test_a_bucket_freezes_the_same_from_its_listing_and_a_manifest(
    s3: Bucket, tmp_path: Path
) -> None:
    for number in range(45):
        s3.put(f"{number % 3}/{number}.jpg", bytes(number))
    listed = frozen(s3.uri, tmp_path)
    manifest = tmp_path / "items.parquet"
    listed.path.rename(manifest)
    again = frozen(str(manifest), tmp_path)
    assert (again.items, again.digest) == (45, listed.digest)
