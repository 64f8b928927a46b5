from pathlib import Path

import pytest

from lib.reports.links import image_link
from lib.storage.config import StorageConfig


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("https://shop.example/1.jpg", "https://shop.example/1.jpg"),
        ("s3://shop/a b/ü#1.jpg", "https://shop.s3.amazonaws.com/a%20b/%C3%BC%231.jpg"),
        ("s3a://shop/1.jpg", "https://shop.s3.amazonaws.com/1.jpg"),
        ("/photos/a b.jpg", "file:///photos/a%20b.jpg"),
        ("file:///photos/1.jpg", "file:///photos/1.jpg"),
        ("gs://shop/1.jpg", None),
        ("/photos/\0.jpg", None),
    ],
)
def test_a_link_leads_to_the_image_where_a_browser_can_follow_it(
    uri: str, link: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    assert image_link(uri, StorageConfig()) == link


def test_an_object_is_found_at_the_stores_own_address() -> None:
    storage = StorageConfig(endpoint_url="http://ceph:7480/")
    assert image_link("s3://shop/1.jpg", storage) == "http://ceph:7480/shop/1.jpg"


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "data:text/html,hi", "javascript://x/%0a1"])
def test_no_uri_becomes_a_program(uri: str) -> None:
    link = image_link(uri, StorageConfig())
    assert link is None or link == Path(uri).absolute().as_uri()
