"""Searching: by title, by an item, by a photo; what is no photo ends as a sentence."""

import gzip
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from PIL import Image

from lib.schemas import LABELS_SCHEMA
from tests.helpers.catalogs import BROKEN, label_rows, make_bundle
from tests.helpers.desks import Served, config_of, served
from tests.helpers.pages import items_of, text_of
from tests.helpers.searched import make_shop, publish


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog that no test here changes."""
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


@pytest.fixture(scope="module")
def desk(shop: Path) -> Iterator[Served]:
    with served(config_of(shop)) as found:
        yield found


@pytest.fixture
def titled(tmp_path: Path) -> Iterator[Served]:
    """A desk on items with names, of which none has an embedding."""
    names = {
        "a": "Red cotton shirt, long sleeves",
        "b": "Red shirt",
        "c": "Blue cotton skirt",
        "d": None,
    }
    rows = [row | {"name": names[row["item_id"]]} for row in label_rows(list(names)).to_pylist()]
    made = make_bundle(str(tmp_path / "bundle")).made
    publish(tmp_path, pa.Table.from_pylist(rows, schema=LABELS_SCHEMA), made)
    with served(config_of(tmp_path)) as found:
        yield found


def test_the_page_loads_what_embeds_photos_before_one_is_sent(shop: Path) -> None:
    with served(config_of(shop)) as desk:
        assert asked(desk).status_code == 200
        desk.desk.searching.close()  # waits
        assert "_embedder" in vars(desk.desk.searching.of(desk.desk.table.version))


def test_a_browser_that_asks_for_an_icon_is_answered(desk: Served) -> None:
    assert desk.client.get("/favicon.ico").status_code == 204


def asked(desk: Served, **what: str) -> httpx.Response:
    return desk.client.get("/search", params=what)


def sent(desk: Served, data: bytes, name: str = "photo.jpg") -> httpx.Response:
    headers = {"x-csrf-token": desk.csrf()}
    return desk.client.post("/search/photo", files={"photo": (name, data)}, headers=headers)


def test_names_with_all_words_of_a_title_are_found_the_shortest_first(titled: Served) -> None:
    assert items_of(asked(titled, title="SHIRT red").text) == ["b", "a"]


def test_a_title_that_is_misspelt_is_found(titled: Served) -> None:
    assert items_of(asked(titled, title="cottn skirts").text)[0] == "c"


def test_an_item_is_found_by_its_id(titled: Served) -> None:
    assert items_of(asked(titled, title="d").text)[0] == "d"


@pytest.mark.parametrize("title", ["zzz", "%", "'; DROP TABLE labels --", "*" * 5000])
def test_what_is_not_there_is_said(titled: Served, title: str) -> None:
    answer = asked(titled, title=title)
    assert answer.status_code == 200
    assert items_of(answer.text) == []
    assert titled.desk.table.item("a")


def test_without_embeddings_the_page_says_what_makes_them(titled: Served) -> None:
    said = "`reshelve embed RUN.yaml` makes them"
    assert said in text_of(asked(titled, like="a").text)
    assert said in text_of(sent(titled, BROKEN_FREE).text)


def test_a_desk_without_embeddings_says_which_key_names_them(shop: Path) -> None:
    with served(config_of(shop, embeddings=None)) as desk:
        assert "add `embeddings: PLACE` to it" in text_of(asked(desk, like="000.jpg").text)


def test_what_looks_like_an_item_is_found(desk: Served) -> None:
    found = items_of(asked(desk, like="000.jpg").text)
    assert len(found) == 11
    assert "000.jpg" not in found


def test_a_photo_finds_the_item_that_it_is_of(desk: Served, shop: Path) -> None:
    answer = sent(desk, (shop / "images" / "004.png").read_bytes())
    assert items_of(answer.text)[0] == "004.png"


def test_a_newer_table_is_searched_soon(desk: Served) -> None:
    asked(desk, like="000.jpg")
    opened = desk.desk.searching.of(desk.desk.table.version)
    desk.desk.searching.of(99)
    desk.desk.searching.close()
    assert desk.desk.searching.of(99) is not opened


@pytest.mark.parametrize(
    "like", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/a.jpg", "s3://a/b"]
)
def test_no_place_of_the_caller_s_is_ever_opened(desk: Served, like: str) -> None:
    assert "no item of the labels table with an embedding has this id" in text_of(
        asked(desk, like=like).text
    )


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("photo.jpg", b"\0" * 5_000_000)
    return file.getvalue()


def drawn(suffix: str, side: tuple[int, int] = (40, 40)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", side, "red").save(file, suffix)
    return file.getvalue()


BROKEN_FREE = drawn("PNG")
HOSTILE = {
    "nothing": (b"", "choose a photo first"),
    "page": (b"<html><script>alert(1)</script></html>", "the bytes are not an image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "SVG"),
    "zip bomb": (zipped(), "the bytes are not an image"),
    "gzip": (gzip.compress(b"\0" * 1_000_000), "the bytes are not an image"),
    "decompression bomb": (BROKEN["x-bomb.png"][1] or b"", "more pixels or bytes than the limit"),
    "truncated": (BROKEN["x-truncated.png"][1] or b"", "the image ends before its last row"),
    "noise": (os.urandom(10_000), "the bytes are not an image"),
    "script": (b"#!/bin/sh\nrm -rf /\n", "the bytes are not an image"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_photo_ends_as_a_sentence(desk: Served, name: str) -> None:
    data, why = HOSTILE[name]
    answer = sent(desk, data, name="<script>alert(1)</script>.jpg")
    assert answer.status_code == 200
    assert why in text_of(answer.text)
    assert "<script" not in answer.text


def test_a_form_without_a_photo_ends_as_a_sentence(desk: Served) -> None:
    headers = {"x-csrf-token": desk.csrf()}
    answer = desk.client.post("/search/photo", data={"photo": "/etc/passwd"}, headers=headers)
    assert "choose a photo first" in text_of(answer.text)


def test_a_broken_upload_ends_as_a_sentence(desk: Served) -> None:
    headers = {"x-csrf-token": desk.csrf(), "content-type": "multipart/form-data; boundary=x"}
    answer = desk.client.post("/search/photo", content=b"--x\r\nno end", headers=headers)
    assert answer.status_code in (200, 400)
    assert "Internal" not in answer.text


@pytest.mark.parametrize("said", [True, False])
def test_an_upload_beyond_the_limit_is_refused_whether_it_says_its_size_or_not(
    shop: Path, *, said: bool
) -> None:
    reading = {"stores": [str(shop)], "max_image_bytes": 200_000}
    with served(config_of(shop, reading=reading)) as desk:
        boundary = b'--x\r\ncontent-disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        body = boundary + b"x" * 400_000 + b"\r\n--x--"
        headers = {"x-csrf-token": desk.csrf(), "content-type": "multipart/form-data; boundary=x"}
        content = body if said else iter([body[:150_000], body[150_000:]])
        answer = desk.client.post("/search/photo", content=content, headers=headers)
        assert answer.status_code == 413
        assert "cannot be sent here" in text_of(answer.text)
        assert desk.client.get("/health").status_code == 200
