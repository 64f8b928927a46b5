"""Manifests as the programs of the world write them: names, quotes, encodings, folders of parts."""

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyarrow import parquet

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.catalog.columns import read_columns
from lib.errors import InputError
from lib.storage.uris import join
from tests.conftest import Bucket
from tests.helpers.catalogs import LOCAL

CSV = b"item_id,uri,name\na,a.jpg,Hat\nb,b.jpg,\n"
LINES = b'{"item_id": "a", "uri": "a.jpg", "name": "Hat"}\n{"item_id": "b", "uri": "b.jpg"}\n'
TABLE = pa.table({"item_id": ["a", "b"], "uri": ["a.jpg", "b.jpg"], "name": ["Hat", None]})


def to_parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def read(uri: str, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # whatever the model takes
    rows = read_catalog(CatalogConfig(uri=uri, **options), LOCAL).to_pylist()
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def written(folder: Path, name: str, data: bytes | str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def refusal(uri: str) -> str:
    with pytest.raises(InputError) as caught:
        read(uri)
    return str(caught.value)


# names


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("items.CSV", CSV),
        ("items.csv.gz", gzip.compress(CSV, mtime=0)),
        ("items.tsv", CSV.replace(b",", b"\t")),
        ("items.TSV.GZ", gzip.compress(CSV.replace(b",", b"\t"), mtime=0)),
        ("items.jsonl", LINES),
        ("items.ndjson", LINES),
        ("items.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("items.PARQUET", to_parquet(TABLE)),
    ],
)
def test_a_manifest_of_each_kind_reads_the_same(tmp_path: Path, name: str, data: bytes) -> None:
    uri = written(tmp_path, name, data)

    assert CatalogConfig(uri=uri).folder is None
    assert read(uri) == [
        {"item_id": "a", "uri": f"{tmp_path}/a.jpg", "name": "Hat"},
        {"item_id": "b", "uri": f"{tmp_path}/b.jpg"},
    ]
    assert read_columns(uri, ["name"], LOCAL).to_pylist() == [
        {"item_id": "a", "name": "Hat"},
        {"item_id": "b", "name": None},
    ]


def test_commas_in_a_tsv_part_nothing(tmp_path: Path) -> None:
    assert (
        read(written(tmp_path, "items.tsv", "uri\nhat, red.jpg\n"))[0]["item_id"] == "hat, red.jpg"
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("metadata.csv", "file_name,text\nhat/a.jpg,a hat\n"),
        ("metadata.jsonl", '{"file_name": "hat/a.jpg", "text": "a hat"}\n'),
    ],
)
def test_an_image_folder_of_hugging_face_is_read_by_its_metadata(
    tmp_path: Path, name: str, data: str
) -> None:
    uri = written(tmp_path, f"train/{name}", data)

    assert read(uri) == [{"item_id": "hat/a.jpg", "uri": f"{tmp_path}/train/hat/a.jpg"}]
    assert read_columns(uri, ["text"], LOCAL).to_pylist() == [
        {"item_id": "hat/a.jpg", "text": "a hat"}
    ]


def test_a_catalog_that_is_neither_folder_nor_manifest_says_what_it_may_be(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, "items.xlsx", b"PK")).endswith(
        "expected images there, or a manifest, .csv, .tsv, .jsonl or .parquet, or an inventory's "
        "manifest.json"
    )


# etags and uris


@pytest.mark.parametrize("etag", ["{}", '"{}"', 'W/"{}"'])
@pytest.mark.parametrize("name", ["items.csv", "items.jsonl", "items.parquet"])
def test_an_etag_is_the_stores_own_with_its_quotes_and_without(
    s3: Bucket, tmp_path: Path, name: str, etag: str
) -> None:
    s3.put("a.jpg", b"a photo")
    head = s3.server.client.head_object(Bucket=s3.name, Key="a.jpg")
    row = {"uri": f"{s3.uri}/a.jpg", "etag": etag.format(head["ETag"].strip('"'))}
    if name.endswith(".csv"):
        data = "uri,etag\n{},{}\n".format(row["uri"], '"' + row["etag"].replace('"', '""') + '"')
    else:
        data = json.dumps(row)
    uri = written(tmp_path, name, data)
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist([row]), uri)

    (item,) = read(uri)

    version = f'"{item["etag"]}"'  # as images are asked for
    s3.server.client.get_object(Bucket=s3.name, Key="a.jpg", IfMatch=version)


def test_file_urls_name_the_files_that_rfc_8089_says(tmp_path: Path) -> None:
    photo = tmp_path / "a b" / "100%25 \xfc.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"a photo")
    path = quote(str(photo))
    uris = [f"file://{path}", f"file:{path}", f"file://localhost{path}", f"FILE://{path}"]
    items = read(written(tmp_path, "items.csv", "\n".join(["uri", *uris])))

    assert [item["item_id"] for item in items] == sorted(uris)
    assert {item["uri"] for item in items} == {str(photo)}


@pytest.mark.parametrize("uri", ["file:///d.jpg", "file://other/d.jpg", "/100%25.jpg"])
def test_other_uris_stay_as_they_are(tmp_path: Path, uri: str) -> None:
    assert read(written(tmp_path, "items.csv", f"uri\n{uri}\n"))[0]["uri"] == uri


# folders of parts


@pytest.mark.parametrize("folder", ["items.parquet", "items"])
def test_a_folder_as_spark_writes_it_is_one_manifest_in_every_store(
    prefix: str, folder: str
) -> None:
    parts = {
        "part-00000-c000.snappy.parquet": to_parquet(TABLE.slice(0, 1)),
        "part-00001-c000.snappy.parquet": to_parquet(TABLE.slice(1)),
        "_SUCCESS": b"",
        "._SUCCESS.crc": b"x",
        ".part-00000-c000.snappy.parquet.crc": b"x",
    }
    for name, data in parts.items():
        LOCAL.write(join(prefix, folder, name), data)

    items = read(join(prefix, folder))

    # as those of a file of this name would be
    assert [item["uri"] for item in items] == [f"{prefix}/a.jpg", f"{prefix}/b.jpg"]
    found = read_columns(join(prefix, folder), ["name"], LOCAL)
    assert found["name"].to_pylist() == ["Hat", None]


def test_parts_in_csv_have_a_head_each_or_are_empty(tmp_path: Path) -> None:
    written(tmp_path, "items/part-0.csv", "uri\na.jpg\n")
    written(tmp_path, "items/part-1.csv", "")
    written(tmp_path, "items/part-2.csv", "uri,name\nb.jpg,Hat\n")
    assert [item["item_id"] for item in read(f"{tmp_path}/items")] == ["a.jpg", "b.jpg"]


def test_images_beside_tables_are_the_catalog(tmp_path: Path) -> None:
    written(tmp_path, "items.csv", "uri\nother.jpg\n")
    written(tmp_path, "a.jpg", b"x")
    assert [item["item_id"] for item in read(str(tmp_path))] == ["a.jpg"]


def test_a_delta_table_is_no_folder_of_parts(tmp_path: Path) -> None:
    for _ in range(2):
        write_deltalake(str(tmp_path / "labels"), TABLE, mode="overwrite")
    assert "this is a Delta table, whose files also hold rows of earlier versions" in refusal(
        str(tmp_path / "labels")
    )


def test_a_folder_named_as_a_manifest_holds_nothing_but_its_parts(tmp_path: Path) -> None:
    written(tmp_path, "items.parquet/day=1/part-0.parquet", to_parquet(TABLE))
    assert refusal(f"{tmp_path}/items.parquet").endswith(
        "a folder that is a manifest has its parts side by side, and nothing else; here lies "
        "'day=1'"
    )


def test_a_folder_named_as_a_manifest_has_a_part(tmp_path: Path) -> None:
    written(tmp_path, "items.csv/_SUCCESS", b"")
    assert refusal(f"{tmp_path}/items.csv").endswith("no part of a manifest lies in this folder")


# text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_spreadsheet_is_read_in_either_encoding_of_unicode(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    lines = "uri,name,\xe4rmel\r\na.jpg,H\xfcte \U0001f9e2,x\r\n".replace(",", separator)
    uri = written(tmp_path, "items.csv", lines.encode(encoding))

    assert read(uri)[0]["name"] == "H\xfcte \U0001f9e2"
    assert read_columns(uri, ["\xe4rmel"], LOCAL)["\xe4rmel"].to_pylist() == ["x"]


@pytest.mark.parametrize("text", ["uri,\xe4rmel\na,b\n", "uri,name\na,H\xfcte\n"])
def test_a_spreadsheet_in_another_encoding_says_how_to_save_it(tmp_path: Path, text: str) -> None:
    uri = written(tmp_path, "items.csv", text.encode("cp1252"))
    assert refusal(uri) == (
        f"{uri}: the manifest cannot be read: it is not text in UTF-8; in Excel, save it as "
        "'CSV UTF-8 (Comma delimited)', elsewhere export it with the encoding UTF-8"
    )


def test_a_compressed_manifest_that_was_cut_says_so(tmp_path: Path) -> None:
    uri = written(tmp_path, "items.csv.gz", gzip.compress(CSV)[:-12])
    assert refusal(uri).startswith(f"{uri}: the manifest cannot be read: Compressed file ended")


# JSON Lines


def test_values_in_json_become_text(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item_id": 7, "uri": "a", "size": 5, "name": 1.5, "tags": ["x"]},
        {"item_id": "8", "uri": "b", "name": "cut \ud83e", "category_id": None},
    ]
    lines = "\n".join(["", *map(json.dumps, rows), ""])
    assert read(written(tmp_path, "items.jsonl", lines)) == [
        {"item_id": "7", "uri": f"{tmp_path}/a", "size": 5, "name": "1.5"},
        {"item_id": "8", "uri": f"{tmp_path}/b", "name": "cut ?"},
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('{"uri": "a"}\n["b"]\n', 'line 2 is no JSON object; expected one, as {"uri": "a.jpg"}'),
        ("[" * 100_000, 'line 1 is no JSON object; expected one, as {"uri": "a.jpg"}'),
        ('{"uri": "a"}\n{"uri": ["b"]}\n', "column 'uri' holds something else than string"),
        (
            '{"uri": "a", "size": 10000000000000000000}\n',
            "column 'size' holds something else than int64",
        ),
        ('{"uri": "a", "size": "big"}\n', "column 'size' holds something else than int64"),
        ('{"path": "a"}\n', "a manifest needs the column 'uri'; this one has: path"),
        ('{"a\\n\\nb": "a"}\n', "a manifest needs the column 'uri'; this one has: a b"),
        ('{"item_id": "a", "uri": "a"}\n{"item_id": "b"}\n', "item 2 has no uri"),
        ("", "the manifest cannot be read: it is empty"),
        ("\n", "the catalog has no items"),
    ],
)
def test_json_lines_that_cannot_be_used_say_why(tmp_path: Path, lines: str, says: str) -> None:
    uri = written(tmp_path, "items.jsonl", lines)
    assert refusal(uri) == f"{uri}: {says}"


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.catalog.manifest_rows.BLOCK_BYTES", 100)
    uri = written(tmp_path, "items.jsonl", "[" + "1," * 200)
    assert refusal(uri) == f"{uri}: line 1 is longer than 100 bytes"
