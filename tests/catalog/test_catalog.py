import io
import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pytest
from obstore.exceptions import GenericError
from pyarrow import parquet
from pydantic import SecretStr

from lib.batches import Batches, in_units, regroup
from lib.catalog.catalog import CatalogConfig, labels_of, read_catalog
from lib.catalog.checks import make_snapshot
from lib.catalog.parallel import gather
from lib.catalog.s3_keys import _middle
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import join
from tests.conftest import MOTO_PAGE, Bucket

STORAGE = Storage(StorageConfig())
TREE = {
    "hat/b.jpg": b"12345",
    "hat/a.PNG": b"1",
    "shoes/winter/c.webp": b"123",
    "top.jpeg": b"",
    "hat/readme.txt": b"no image",
    "hat/NO_SUFFIX": b"no image",
    ".hidden.jpg": b"hidden",
    "hat/.b.jpg.tmp": b"hidden",
    ".trash/d.jpg": b"hidden",
    "shoes/.thumbs/deep/e.jpg": b"hidden",
}
IMAGES = {"hat/a.PNG": 1, "hat/b.jpg": 5, "shoes/winter/c.webp": 3, "top.jpeg": 0}


def fill(prefix: str, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        STORAGE.write(join(prefix, name), data)


def read(uri: str, **options: Any) -> pa.Table:  # noqa: ANN401  # whatever the model takes
    table = read_catalog(CatalogConfig(uri=uri, **options), STORAGE)
    assert table.schema == ITEM_SCHEMA
    return table


def refusal(uri: str, **options: Any) -> str:  # noqa: ANN401  # whatever the model takes
    with pytest.raises(InputError) as caught:
        read(uri, **options)
    message = str(caught.value)
    assert message.startswith(uri)
    assert "\n" not in message
    return message.removeprefix(uri)


# prefixes


def test_a_prefix_gives_the_same_ids_and_sizes_in_every_store(prefix: str) -> None:
    fill(prefix, TREE)
    table = read(prefix)
    assert table["item_id"].to_pylist() == list(IMAGES)
    assert table["size"].to_pylist() == list(IMAGES.values())
    assert table["uri"].to_pylist() == [join(prefix, item_id) for item_id in IMAGES]


def test_names_that_are_no_text_are_items_beside_all_others(tmp_path: Path) -> None:
    names = [
        rb"caf\xe9.jpg",
        b"caf\xe9.jpg",
        b"caf\xc3\xa9.jpg",
        b"H\xfcte/a.jpg",
        b"H\xfcte/b.\xff",
    ]
    for name in names:
        path = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    items = read(str(tmp_path))
    assert dict(zip(items["item_id"].to_pylist(), items["uri"].to_pylist(), strict=True)) == {
        r"H\xfcte/a.jpg": f"file://{tmp_path}/H%FCte/a.jpg",
        r"caf\\xe9.jpg": rf"{tmp_path}/caf\xe9.jpg",
        r"caf\xe9.jpg": f"file://{tmp_path}/caf%E9.jpg",
        "caf\xe9.jpg": f"{tmp_path}/caf\xe9.jpg",
    }


def test_a_file_that_cannot_be_read_is_an_item_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"12345")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    items = read(str(tmp_path))
    assert items["item_id"].to_pylist() == ["a.jpg", "loop.jpg"]
    assert items["size"].to_pylist() == [5, None]


def test_a_slash_at_the_end_of_a_prefix_changes_nothing(prefix: str) -> None:
    fill(prefix, TREE)
    assert read(prefix + "/") == read(prefix)


def test_what_stands_beside_a_prefix_is_not_listed(prefix: str) -> None:
    fill(prefix, {"a.jpg": b"x"})
    fill(f"{prefix}-other", {"b.jpg": b"x"})
    assert read(prefix)["item_id"].to_pylist() == ["a.jpg"]


def test_an_etag_stays_until_the_object_changes(prefix: str) -> None:
    fill(prefix, {"a.jpg": b"one", "b.jpg": b"two"})
    before = read(prefix)["etag"].to_pylist()
    assert read(prefix)["etag"].to_pylist() == before
    fill(prefix, {"b.jpg": b"other"})
    after = read(prefix)["etag"].to_pylist()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_suffixes_say_which_files_are_images(prefix: str) -> None:
    fill(prefix, TREE)
    assert read(prefix, suffixes=(".txt",))["item_id"].to_pylist() == ["hat/readme.txt"]


def test_a_star_takes_every_file_that_is_not_hidden(prefix: str) -> None:
    fill(prefix, TREE)
    expected = sorted([*IMAGES, "hat/readme.txt", "hat/NO_SUFFIX"])
    assert read(prefix, suffixes=("*",))["item_id"].to_pylist() == expected


def test_a_prefix_without_images_says_what_lies_there(prefix: str) -> None:
    fill(
        prefix,
        dict.fromkeys(["a.txt", "x/b.txt", "y/c.TXT", "a.pdf", "b.pdf", "D"], b"x"),
    )
    assert refusal(prefix) == (
        ": no image lies below this prefix; left out: 3 .txt, 2 .pdf, 1 file without a suffix; "
        "'suffixes' says which are images"
    )


def test_a_prefix_with_hidden_files_alone_says_so(prefix: str) -> None:
    fill(prefix, {".a.jpg": b"x"})
    assert refusal(prefix) == ": no image lies below this prefix; left out: 1 hidden file"


def test_a_prefix_that_is_not_there_says_so(prefix: str) -> None:
    assert refusal(prefix) == ": not found"


def test_a_file_in_a_prefixs_place_is_no_item(prefix: str) -> None:
    fill(prefix, {"a.jpg": b"x"})
    assert refusal(join(prefix, "a.jpg")).startswith(
        ": no file lies below this prefix; expected images there"
    )


def test_folder_labels_are_the_names_of_the_folders(prefix: str) -> None:
    fill(prefix, {"hat/a.jpg": b"x", "all/shoes/b.jpg": b"x"})
    table = read(prefix, labels="folder")
    assert table.select(["item_id", "category_id"]).to_pylist() == [
        {"item_id": "all/shoes/b.jpg", "category_id": "shoes"},
        {"item_id": "hat/a.jpg", "category_id": "hat"},
    ]


def test_folder_labels_need_every_image_in_a_folder(prefix: str) -> None:
    fill(prefix, {"hat/a.jpg": b"x", "b.jpg": b"x"})
    assert "'b.jpg' lies in no category folder" in refusal(prefix, labels="folder")


def test_a_whole_bucket_is_a_prefix_and_folder_markers_are_no_items(s3: Bucket) -> None:
    for key in ("a.jpg", "hat/", "hat/b.jpg", "empty/"):
        s3.put(key, b"x" if key.endswith(".jpg") else b"")
    assert read(s3.uri, suffixes=("*",))["item_id"].to_pylist() == ["a.jpg", "hat/b.jpg"]


def test_a_marker_at_the_prefix_itself_is_no_item(s3: Bucket) -> None:
    s3.put("shop/", b"")
    s3.put("shop/a.jpg", b"x")
    assert read(s3.uri + "/shop", suffixes=("*",))["item_id"].to_pylist() == ["a.jpg"]


def test_an_object_and_a_folder_of_the_same_name_are_both_listed(s3: Bucket) -> None:
    for key in ("shop/a.jpg", "shop/a.jpg/b.jpg"):
        s3.put(key, b"x")
    assert read(s3.uri + "/shop")["item_id"].to_pylist() == ["a.jpg", "a.jpg/b.jpg"]


def test_a_listing_longer_than_one_page_is_whole(s3: Bucket) -> None:
    count = 2_050 if s3.server.is_ceph else 5 * MOTO_PAGE // 2
    names = [f"{number % 2}/{number}.jpg" for number in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put(name, b"x"), names))
    assert read(s3.uri)["item_id"].to_pylist() == sorted(names)


def put_all(bucket: Bucket, files: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: bucket.put(*file), files.items()))


def test_one_folder_of_many_pages_is_listed_in_ranges_and_each_key_once(s3: Bucket) -> None:
    count = 5_000 if s3.server.is_ceph else 12 * MOTO_PAGE
    names = sorted(f"photo-{number * 37:06}.jpg" for number in range(count))
    put_all(s3, {f"shop/{name}": b"x" for name in names})
    assert read(s3.uri + "/shop")["item_id"].to_pylist() == names


def test_keys_that_other_tools_rename_are_listed_as_they_are(s3: Bucket) -> None:
    odd = ["/slash.jpg", "//two.jpg", "a//b.jpg", "a b/ü #%41?+[]~.jpg", "hat.jpg", "hat.jpg/c.jpg"]
    plain = [f"p{number:04}.jpg" for number in range(3 * MOTO_PAGE)]
    keys = [*odd, *plain, *(f"p0030.jpg//{number}.jpg" for number in range(MOTO_PAGE + 5))]
    put_all(s3, dict.fromkeys(keys, b"x"))
    assert read(s3.uri)["item_id"].to_pylist() == sorted(keys)


def test_below_a_prefix_that_begins_with_a_slash_every_key_is_listed(s3: Bucket) -> None:
    keys = [f"{number:04}.jpg" for number in range(MOTO_PAGE * 3)]
    put_all(s3, {f"/shop/{key}": b"x" for key in keys})
    assert read(s3.uri + "//shop")["item_id"].to_pylist() == keys


def test_empty_objects_are_items_and_folder_markers_are_none_on_every_page(s3: Bucket) -> None:
    keys = [f"p{number:04}.jpg" for number in range(5 * MOTO_PAGE)]
    markers = [f"{key}/" for key in keys[::7]]
    put_all(
        s3, {**{key: b"" if key[4] == "3" else b"x" for key in keys}, **dict.fromkeys(markers, b"")}
    )
    assert read(s3.uri)["item_id"].to_pylist() == keys


def test_a_listing_goes_on_where_a_page_failed(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"p{number:04}.jpg" for number in range(8 * MOTO_PAGE)]
    put_all(s3, dict.fromkeys(keys, b"x"))
    obstore_list = obstore.list
    asked = itertools.count()

    def fail_often(*args: Any, **options: Any) -> Iterator[Any]:  # noqa: ANN401  # passed on
        for number, page in enumerate(obstore_list(*args, **options)):
            if (number + next(asked)) % 2:
                raise GenericError("503 Slow Down")
            yield page

    monkeypatch.setattr(obstore, "list", fail_often)
    assert read(s3.uri)["item_id"].to_pylist() == keys


def test_a_store_that_lists_out_of_order_is_refused(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_all(s3, {f"p{number:04}.jpg": b"x" for number in range(3 * MOTO_PAGE)})
    columns = {"path": ["p2.jpg", "p1.jpg"], "size": [1, 1], "e_tag": ["x", "x"]}
    page = pa.record_batch(columns)
    monkeypatch.setattr(obstore, "list", lambda *_, **__: iter([page]))
    if s3.server.is_ceph:
        pytest.skip("one page of this store holds every key of the test")
    assert refusal(s3.uri).startswith(": the store lists its keys out of order")


def test_an_empty_bucket_has_no_items(s3: Bucket) -> None:
    assert refusal(s3.uri).startswith(": no file lies below this prefix; expected images there")


def test_credentials_that_the_store_refuses_are_named(s3: Bucket) -> None:
    if not s3.server.is_ceph:
        pytest.skip("this server takes any credentials")
    wrong = StorageConfig(access_key_id=SecretStr("WRONG"), secret_access_key=SecretStr("wrong"))
    with pytest.raises(InputError, match="the store refused these credentials"):
        read_catalog(CatalogConfig(uri=s3.uri), Storage(wrong))


@pytest.mark.parametrize(
    ("after", "until", "middle"),
    [
        ("photo-100.jpg", "photo-900.jpg", "photo-5"),
        ("photo-100.jpg", None, "v"),
        ("a", "b", None),
        ("a1", "b", "aW"),
        ("ab", "ab1", None),
        ("shop/a.jpg", "shop/z.jpg", "shop/n"),
        ("", None, None),
    ],
)
def test_a_range_is_split_between_its_ends(
    after: str, until: str | None, middle: str | None
) -> None:
    assert _middle(after, until) == middle


def test_files_of_a_link_have_the_version_that_they_are_fetched_by(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "real.jpg").write_bytes(b"12345")
    (tmp_path / "shop" / "a.jpg").symlink_to(tmp_path / "real.jpg")
    (tmp_path / "shop" / "broken.jpg").symlink_to(tmp_path / "none.jpg")
    (tmp_path / "shop" / "loop").symlink_to(tmp_path)
    found = (tmp_path / "real.jpg").stat()
    assert read(str(tmp_path / "shop")).to_pylist() == [
        row(
            item_id="a.jpg",
            uri=str(tmp_path / "shop" / "a.jpg"),
            etag=f"5-{found.st_mtime}",
            size=5,
        )
    ]


def test_many_folders_of_many_files_are_listed_whole(tmp_path: Path) -> None:
    names = sorted(f"{number % 50}/{number % 7}/{number}.jpg" for number in range(1_000))
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert read(str(tmp_path))["item_id"].to_pylist() == names


@pytest.mark.usefixtures("s3")
def test_a_missing_bucket_is_named() -> None:
    name = f"reshelve-none-{uuid.uuid4().hex}"
    assert refusal(f"s3://{name}/shop") == f": the bucket '{name}' does not exist"


def test_the_real_photos_are_listed_with_their_folders_as_labels(shared: Path) -> None:
    folder = shared / "data" / "clothing" / "test"
    table = read(str(folder), labels="folder")
    assert table.num_rows == sum(1 for _ in folder.glob("*/*.jpg"))
    assert labels_of(table) == sorted(path.name for path in folder.iterdir() if path.is_dir())


# manifests


def manifest(folder: Path, text: str | bytes) -> str:
    path = folder / "items.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def to_parquet(folder: Path, **columns: pa.Array) -> str:
    path = folder / "items.parquet"
    parquet.write_table(pa.table(columns), path)
    return str(path)


def row(**values: str | int) -> dict[str, str | int | None]:
    return {**dict.fromkeys(ITEM_SCHEMA.names), **values}


def test_a_csv_manifest_gives_every_column(tmp_path: Path) -> None:
    uri = manifest(
        tmp_path,
        "split,category_id,name,size,etag,uri,item_id\n"
        'train,hat,"Hat, red",5,abc,s3://b/a.jpg,2\nvalidation,,,,,/x/b.jpg,1\n',
    )
    assert read(uri).to_pylist() == [
        row(item_id="1", uri="/x/b.jpg", split="validation"),
        row(
            item_id="2",
            uri="s3://b/a.jpg",
            etag="abc",
            size=5,
            name="Hat, red",
            category_id="hat",
            split="train",
        ),
    ]


def test_csv_and_parquet_manifests_read_the_same(tmp_path: Path) -> None:
    columns = {"item_id": ["b", "a"], "uri": ["/b.jpg", "/a.jpg"], "category_id": ["hat", None]}
    as_csv = manifest(tmp_path, "item_id,uri,category_id\nb,/b.jpg,hat\na,/a.jpg,\n")
    as_parquet = to_parquet(tmp_path, **{name: pa.array(v) for name, v in columns.items()})
    assert read(as_csv) == read(as_parquet)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_csv_as_excel_writes_it_reads_like_any_other(tmp_path: Path, separator: str) -> None:
    lines = 'item_id,uri,name\nb,/b.jpg,"Hat, red"\na,/a.jpg,Shirt\n'
    plain = read(manifest(tmp_path, lines))
    of_excel = "\ufeffitem_id,uri,name\nb,/b.jpg,Hat+ red\na,/a.jpg,Shirt\n"
    of_excel = of_excel.replace(",", separator).replace("+", ",").replace("\n", "\r\n")
    assert read(manifest(tmp_path, of_excel)) == plain


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_manifest_reads_the_same_from_every_store(prefix: str, kind: str) -> None:
    file = io.BytesIO(b"uri\nb.jpg\na/a.jpg\n")
    if kind == "parquet":
        file = io.BytesIO()
        parquet.write_table(pa.table({"uri": ["b.jpg", "a/a.jpg"]}), file)
    uri = join(prefix, f"items.{kind}")
    STORAGE.write(uri, file.getvalue())
    assert read(uri).to_pylist() == [
        row(item_id="a/a.jpg", uri=join(prefix, "a/a.jpg")),
        row(item_id="b.jpg", uri=join(prefix, "b.jpg")),
    ]


def test_relative_uris_stand_below_the_manifests_folder_and_others_stay(tmp_path: Path) -> None:
    uris = ["a.jpg", "/abs/b.jpg", "s3://b/c.jpg", "file:///d.jpg", "x y/#e?.jpg"]
    table = read(manifest(tmp_path, "uri\n" + "\n".join(uris) + "\n"))
    assert dict(zip(table["item_id"].to_pylist(), table["uri"].to_pylist(), strict=True)) == {
        "a.jpg": f"{tmp_path}/a.jpg",
        "/abs/b.jpg": "/abs/b.jpg",
        "s3://b/c.jpg": "s3://b/c.jpg",
        "file:///d.jpg": "file:///d.jpg",
        "x y/#e?.jpg": f"{tmp_path}/x y/#e?.jpg",
    }


def test_ids_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    table = read(manifest(tmp_path, "item_id,uri,category_id\n007,a,01\n7,b,1e3\n1.10,c,true\n"))
    assert table["item_id"].to_pylist() == ["007", "1.10", "7"]
    assert table["category_id"].to_pylist() == ["01", "true", "1e3"]


@pytest.mark.parametrize("word", ["NA", "null", "NaN", "None", "n/a", "nan", "-", "#N/A"])
def test_words_that_others_read_as_nothing_stay_words(tmp_path: Path, word: str) -> None:
    table = read(manifest(tmp_path, f"item_id,uri,name,category_id\n{word},a,{word},{word}\n"))
    assert table.to_pylist()[0] == row(
        item_id=word, uri=f"{tmp_path}/a", name=word, category_id=word
    )


def test_columns_that_no_one_asked_for_are_ignored(tmp_path: Path) -> None:
    assert read(manifest(tmp_path, "price,uri,colour\n3,/a.jpg,red\n")).to_pylist() == [
        row(item_id="/a.jpg", uri="/a.jpg")
    ]


def test_a_manifest_of_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert read(manifest(tmp_path, "\ufeffuri\r\na.jpg\r\n"))["item_id"].to_pylist() == ["a.jpg"]


def test_titles_of_several_lines_are_read_from_a_long_manifest(tmp_path: Path) -> None:
    rows = [f'{number:06}.jpg,"{"red " * 10}\nhat"\n' for number in range(50_000)]
    table = read(manifest(tmp_path, "uri,name\n" + "".join(rows)))
    assert table.num_rows == 50_000
    assert set(table["name"].to_pylist()) == {"red " * 10 + "\nhat"}


def test_parquet_ids_that_are_numbers_become_text(tmp_path: Path) -> None:
    uri = to_parquet(tmp_path, item_id=pa.array([10, 9]), uri=pa.array(["/a", "/b"]))
    assert read(uri)["item_id"].to_pylist() == ["10", "9"]


def test_parquet_columns_of_categories_are_read(tmp_path: Path) -> None:
    labels = pa.array(["hat", "hat", None]).dictionary_encode()
    uri = to_parquet(tmp_path, uri=pa.array(["a", "b", "c"], pa.large_string()), category_id=labels)
    assert read(uri)["category_id"].to_pylist() == ["hat", "hat", None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path\na.jpg\n", ": a manifest needs the column 'uri'; this one has: path"),
        ("uri|name\na|b\n", ": a manifest needs the column 'uri'; this one has: uri|name"),
        ("uri\n", ": the catalog has no items"),
        ("", ": the manifest cannot be read: it is empty"),
        ("uri,item_id\na,1\nb,2\nc,1\n", ": item_id '1' stands in the catalog twice"),
        ("uri\na\nb\na\n", ": item_id 'a' stands in the catalog twice"),
        ("item_id,uri\n1,a\n2,\n", ": item 2 has no uri"),
        ("item_id,uri\n1,a\n,b\n", ": item 2 has no item_id"),
        ("uri,name,name\na,b,c\n", ": the manifest has the column 'name' twice"),
        ("uri,uri\na,b\n", ": the manifest has the column 'uri' twice"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    assert refusal(manifest(tmp_path, text)) == says


@pytest.mark.parametrize("text", [b"uri,size\na,big\n", b"uri,name\na,\xff\n", b"uri\na,b\n"])
def test_a_manifest_that_cannot_be_read_says_so(tmp_path: Path, text: bytes) -> None:
    assert refusal(manifest(tmp_path, text)).startswith(": the manifest cannot be read: ")


@pytest.mark.parametrize("data", [b"", b"no parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_broken_parquet_manifest_says_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "items.parquet").write_bytes(data)
    uri = str(tmp_path / "items.parquet")
    assert refusal(uri).startswith(": the manifest cannot be read: ")


def test_a_parquet_column_of_another_type_is_named_with_both_types(tmp_path: Path) -> None:
    uri = to_parquet(tmp_path, uri=pa.array(["a"]), size=pa.array(["big"]))
    assert refusal(uri) == ": column 'size' is string, not int64"


def test_null_uris_in_parquet_are_refused(tmp_path: Path) -> None:
    uri = to_parquet(tmp_path, uri=pa.array(["a", None]))
    assert refusal(uri) == ": item 2 has no uri"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_manifest_that_is_not_there_says_so(prefix: str, suffix: str) -> None:
    assert refusal(join(prefix, f"items.{suffix}")) == ": not found"


def test_a_manifest_with_folder_labels_is_refused(tmp_path: Path) -> None:
    uri = manifest(tmp_path, "uri\na.jpg\n")
    assert refusal(uri, labels="folder").endswith("has its labels in the column category_id")


# items


def one_item(item_id: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([row(item_id=item_id, uri="/a")], ITEM_SCHEMA)


def test_tasks_that_make_tasks_are_all_done() -> None:
    def work(depth: int, add: Callable[[int], None]) -> Batches:
        for _ in range(depth):
            add(depth - 1)
        yield one_item(str(depth))

    assert sum(batch.num_rows for batch in gather([4], work, 3)) == 1 + 4 + 12 + 24 + 24


def test_a_task_that_fails_ends_them_all_with_its_error() -> None:
    def work(number: int, _: Callable[[int], None]) -> Batches:
        if number == 50:
            raise InputError("number 50")
        yield one_item(str(number))

    with pytest.raises(InputError, match="number 50"):
        list(gather(range(1_000), work, 3))


def test_tasks_that_no_one_reads_stop() -> None:
    started = []

    def work(number: int, _: Callable[[int], None]) -> Batches:
        started.append(number)
        yield one_item(str(number))

    batches = gather(range(100_000), work, 3)
    next(batches)
    batches.close()
    assert len(started) < 1_000


def test_batches_are_regrouped_without_losing_rows() -> None:
    batches = [one_item(str(n)) for n in range(3)] + [
        pa.concat_batches([one_item(str(n)) for n in range(3, 10)])
    ]
    grouped = list(regroup(batches, 4))
    assert [batch.num_rows for batch in grouped] == [4, 4, 2]
    assert pa.Table.from_batches(grouped) == pa.Table.from_batches(batches)


def test_the_first_units_are_small_and_no_row_is_lost() -> None:
    rows = pa.concat_batches([one_item(str(n)) for n in range(1000)])
    units = list(in_units([rows.slice(0, 300), rows.slice(300)], 200))
    assert [unit.num_rows for unit in units] == [16, 16, 32, 32, 64, 64, 128, 128, 200, 200, 120]
    assert pa.Table.from_batches(units) == pa.Table.from_batches([rows])


def test_labels_are_distinct_and_sorted(tmp_path: Path) -> None:
    table = read(manifest(tmp_path, "uri,category_id\na,shoes\nb,hat\nc,\nd,hat\n"))
    assert labels_of(table) == ["hat", "shoes"]


def test_a_snapshot_does_not_depend_on_the_order_of_its_items() -> None:
    rows = [row(item_id=f"{number}", uri=f"/{number}.jpg") for number in range(20)]
    one = make_snapshot(pa.Table.from_pylist(rows, ITEM_SCHEMA), "here")
    other = make_snapshot(pa.Table.from_pylist(rows[::-1], ITEM_SCHEMA), "here")
    assert one == other
    assert one["item_id"].to_pylist() == sorted(f"{number}" for number in range(20))


DECOMPOSED, COMPOSED = "Hu\u0308te", "H\xfcte"  # as a Mac's folders are named, and as it is typed


def test_a_folder_in_either_of_unicodes_spellings_is_the_same_category(tmp_path: Path) -> None:
    fill(str(tmp_path), {f"{DECOMPOSED}/a.jpg": b"1", f"{COMPOSED}/b.jpg": b"1"})
    table = read(str(tmp_path), labels="folder")
    assert labels_of(table) == [COMPOSED]
    # ids and URIs name files, and stay as they are
    assert table["item_id"].to_pylist() == [f"{COMPOSED}/b.jpg", f"{DECOMPOSED}/a.jpg"][::-1]
    assert all(STORAGE.exists(uri) for uri in table["uri"].to_pylist())


@pytest.mark.parametrize("name", ["items.csv", "items.parquet"])
def test_a_label_in_either_of_unicodes_spellings_is_the_same_category(
    tmp_path: Path, name: str
) -> None:
    rows = {"uri": [f"{DECOMPOSED}.jpg", "b.jpg"], "category_id": [DECOMPOSED, COMPOSED]}
    if name.endswith(".csv"):
        lines = [",".join(row) for row in zip(*rows.values(), strict=True)]
        (tmp_path / name).write_text("\n".join(["uri,category_id", *lines]), encoding="utf-8")
    else:
        parquet.write_table(pa.table(rows), tmp_path / name)
    table = read(str(tmp_path / name))
    assert table["category_id"].to_pylist() == [COMPOSED, COMPOSED]
    assert f"{tmp_path}/{DECOMPOSED}.jpg" in table["uri"].to_pylist()


@pytest.mark.parametrize("column", ["uri", "item_id", "etag", "name", "category_id"])
def test_a_value_that_is_no_text_is_refused_with_its_column(tmp_path: Path, column: str) -> None:
    text = pa.array([b"file:/H\xfcte.jpg"], pa.binary()).view(pa.string())
    parquet.write_table(pa.table({"uri": ["a.jpg"], column: text}), tmp_path / "a.parquet")
    assert refusal(str(tmp_path / "a.parquet")) == f": column '{column}' is not text in UTF-8"
