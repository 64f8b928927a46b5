from pathlib import Path

import pytest

from lib.errors import InputError
from lib.reasons import ItemError, Reason
from lib.storage.allowlist import check_store, lies_in, store_of


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        ("photos", "/"),
        ("/data/catalog.csv", "/"),
        ("file:///data/catalog.csv", "/"),
        ("s3://shop/night/catalog.parquet", "s3://shop/"),
        ("s3a://shop", "s3://shop/"),
        ("https://cdn.example.com:8443/catalog.csv", "https://cdn.example.com:8443/"),
        ("gs://shop/photos/", "gs://shop/"),
    ],
)
def test_a_catalogs_store_is_its_disk_its_bucket_or_its_host(uri: str, store: str) -> None:
    assert store_of(uri) == store


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        ("/data/a.jpg", "/"),
        ("file:///data/a.jpg", "/data"),
        ("/data/../data/a.jpg", "/data"),
        ("s3://shop/a.jpg", "s3://shop/"),
        ("s3a://shop/a.jpg", "s3://shop"),
        ("s3://shop/../a.jpg", "s3://shop/"),  # a key like others
        ("s3://shop/photos/a.jpg", "s3://shop/photos"),
        ("s3://any/a.jpg", "s3://"),
        ("https://cdn.example.com/a.jpg", "https://cdn.example.com/"),
        ("HTTPS://CDN.example.com:443/a.jpg", "https://cdn.example.com"),
        ("https://cdn.example.com/%70hotos/a.jpg", "https://cdn.example.com/photos"),
        ("https://cdn.example.com/a%20b/c.jpg", "https://cdn.example.com/a b/"),
        ("https://cdn.example.com/o/photos%2Fa.jpg?alt=../x", "https://cdn.example.com/o/"),
        ("https://cdn.example.com/photos/a::b.jpg", "https://cdn.example.com/photos"),
        ("https://any.example.com/a.jpg", "https://"),
    ],
)
def test_what_lies_in_a_store_is_seen_to(uri: str, store: str) -> None:
    assert lies_in(uri, store)


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        ("file:///etc/passwd", "s3://shop/"),
        ("/etc/passwd", "s3://shop/"),
        ("/etc/passwd", "/data"),
        ("/data/../etc/passwd", "/data"),
        ("/database/a.jpg", "/data"),
        ("http://169.254.169.254/latest/meta-data/", "s3://shop/"),
        ("http://[fe80::1]/a.jpg", "https://cdn.example.com/"),
        ("http://cdn.example.com/a.jpg", "https://cdn.example.com/"),
        ("https://cdn.example.com@169.254.169.254/a.jpg", "https://cdn.example.com/"),
        ("https://cdn.example.com:22/a.jpg", "https://cdn.example.com/"),
        ("https://cdn.example.com/photos/../secret.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/%2e%2e/secret.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/%2E./secret.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/..%2fsecret.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/..%5csecret.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/%252e%252e/s.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/.\t./secret.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos%2Fa.jpg", "https://cdn.example.com/photos/"),
        ("https://cdn.example.com/photos/a.jpg", "https://cdn.example.com/%2570hotos/"),
        ("https://cdn.example.com\\@169.254.169.254/a.jpg", "https://cdn.example.com/"),
        ("https://cdn.example.com:99999/a.jpg", "https://cdn.example.com/"),
        ("zip://a.jpg::http://169.254.169.254/a.zip", "zip://"),
        ("memory://a.jpg::file:///etc/passwd", "memory://"),
        ("simplecache::s3://shop/a.jpg", "s3://shop/"),
        ("zip://a.jpg::file:///etc/secret.zip", "s3://shop/"),
        ("s3://other/a.jpg", "s3://shop/"),
        ("s3://shop-of-others/a.jpg", "s3://shop"),
        ("s3://shop/photos-of-others/a.jpg", "s3://shop/photos"),
        ("s3://shop/photos", "s3://shop/photos/"),
    ],
)
def test_what_lies_elsewhere_is_seen_to(uri: str, store: str) -> None:
    assert not lies_in(uri, store)


def test_a_path_that_can_be_none_is_the_items_own_trouble(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match=r"'/photos/a\\x00b.jpg' is no path: ") as caught:
        check_store("/photos/a\0b.jpg", (str(tmp_path),))
    assert caught.value.reason == Reason.FETCH_FAILED


def test_a_store_that_can_be_none_is_the_run_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'/pho\\x00tos' is no path: "):
        check_store(str(tmp_path / "a.jpg"), ("/pho\0tos",))


def test_a_store_of_the_web_that_can_be_none_is_the_run_files() -> None:
    with pytest.raises(InputError, match=r"^https://\[bad/ is no address of a store: "):
        check_store("https://cdn.example.com/a.jpg", ("https://[bad/",))


def test_a_link_lies_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "photos" / "out.jpg").symlink_to("../secret.jpg")
    (tmp_path / "photos" / "loop.jpg").symlink_to("loop.jpg")
    assert not lies_in(f"{tmp_path}/photos/out.jpg", f"{tmp_path}/photos")
    assert lies_in(f"{tmp_path}/photos/loop.jpg", f"{tmp_path}/photos")
