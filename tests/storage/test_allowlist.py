import pytest

from lib.storage.allowlist import lies_in, store_of


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
