import http.server
import pickle
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.catalog import CatalogConfig, read_catalog
from lib.fetch import Fetcher
from lib.reasons import ItemError, Reason
from lib.storage import Storage, StorageConfig, join
from tests.conftest import Bucket

ODD_NAMES = (
    *("a b.jpg", " lead.jpg", "ünï/ça.jpg", "日本.jpg", "e\u0301.jpg", "\u00e9.jpg", "😀.jpg"),
    *("x#1.jpg", "q?v=1.jpg", "p%20c.jpg", "p%.jpg", "p%2F.jpg", "a+b.jpg", "[g]*.jpg", "a:b.jpg"),
    *(
        "a::b.jpg",
        "~/t~.jpg",
        "&=;,.jpg",
        "'\".jpg",
        "b\\s.jpg",
        "{b}^`|<>.jpg",
        "d./x.jpg",
        "$.jpg",
    ),
)


def refusal(uri: str, config: StorageConfig | None = None) -> ItemError:
    with pytest.raises(ItemError) as caught:
        Fetcher(config or StorageConfig()).fetch(uri)
    assert 0 < len(caught.value.detail) <= 250
    assert "\n" not in caught.value.detail
    return caught.value


def fetch_listed(prefix: str) -> dict[str, bytes]:
    """List a prefix and fetch each item by the uri that the listing gave."""
    config = StorageConfig()
    items = read_catalog(CatalogConfig(uri=prefix), Storage(config))
    uris = items["uri"].to_pylist()
    with ThreadPoolExecutor(8) as pool:
        data = list(pool.map(Fetcher(config).fetch, uris))
    return dict(zip(items["item_id"].to_pylist(), data, strict=True))


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_the_bytes_are_the_same_from_every_store(tmp_path: Path, s3: Bucket, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    storage = Storage(StorageConfig())
    for base in (str(tmp_path), f"memory://{uuid.uuid4().hex}", s3.uri):
        storage.write(join(base, "item.jpg"), data)
        assert Fetcher(StorageConfig()).fetch(join(base, "item.jpg")) == data


def test_a_file_url_is_read_like_its_path(tmp_path: Path) -> None:
    (tmp_path / "a b.jpg").write_bytes(b"x")
    assert Fetcher(StorageConfig()).fetch(f"file://{tmp_path}/a b.jpg") == b"x"


def test_what_is_not_there_is_gone_in_every_store(tmp_path: Path, s3: Bucket) -> None:
    for base in (str(tmp_path), f"memory://{uuid.uuid4().hex}", s3.uri, s3.uri + "/a//b"):
        error = refusal(join(base, "item.jpg"))
        assert error.reason == Reason.GONE
        assert error.detail == f"{base}/item.jpg is not there"


def test_any_name_on_disk_is_listed_and_fetched(tmp_path: Path) -> None:
    for name in ODD_NAMES:
        path = tmp_path / "[photos] #1?" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    found = fetch_listed(str(tmp_path / "[photos] #1?"))
    assert found == {name: name.encode() for name in ODD_NAMES}


def test_any_name_on_s3_is_listed_and_fetched(s3: Bucket) -> None:
    names = (*ODD_NAMES, "two//slashes.jpg", "non\u00a0breaking.jpg")
    for name in names:
        s3.put(f"[photos] #1?/{name}", name.encode())
    found = fetch_listed(s3.uri + "/[photos] #1?")
    assert found == {name: name.encode() for name in names}


def test_many_threads_each_get_their_own_object(s3: Bucket) -> None:
    for number in range(8):
        s3.put(f"{number}.jpg", bytes([number]) * 50_000)
    fetcher = Fetcher(StorageConfig())
    numbers = [number % 8 for number in range(200)]
    with ThreadPoolExecutor(32) as pool:
        found = pool.map(lambda number: fetcher.fetch(f"{s3.uri}/{number}.jpg"), numbers)
        assert [set(data) for data in found] == [{number} for number in numbers]


def test_an_endpoint_that_does_not_answer_fails_the_fetch_within_its_retries(s3: Bucket) -> None:
    began = time.monotonic()
    config = StorageConfig(endpoint_url="http://127.0.0.1:9")
    assert refusal(s3.uri + "/item.jpg", config).reason == Reason.FETCH_FAILED
    assert time.monotonic() - began < 30  # eight retries; two to four seconds where all is quiet


def test_a_directory_fails_the_fetch(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)).reason == Reason.FETCH_FAILED


@pytest.mark.parametrize("uri", ["nope://x/y.jpg", "http://[bad/x.jpg", "/a\0b.jpg", ""])
def test_a_uri_that_leads_nowhere_costs_one_item(uri: str) -> None:
    assert refusal(uri).reason == Reason.FETCH_FAILED


def test_no_credentials_fail_the_fetch(s3_without_keys: Bucket) -> None:
    s3_without_keys.put("item.jpg", b"x")
    assert refusal(s3_without_keys.uri + "/item.jpg").reason == Reason.FETCH_FAILED


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers each request with the status that its path names."""

    def do_GET(self) -> None:
        self.send_error(int(self.path.strip("/").removesuffix(".jpg")))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, Reason.GONE),
        (403, Reason.FETCH_FAILED),
        (429, Reason.FETCH_FAILED),
        (500, Reason.FETCH_FAILED),
    ],
)
def test_a_web_server_that_refuses_costs_one_item(web: str, status: int, reason: Reason) -> None:
    assert refusal(f"{web}/{status}.jpg").reason == reason


def test_an_item_error_crosses_processes_whole(tmp_path: Path) -> None:
    error = refusal(str(tmp_path / "none.jpg"))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (copy.reason, copy.detail) == (error.reason, error.detail)
