import errno
import hashlib
import http.server
import os
import pickle
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.errors import InputError, ReshelveError
from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.reasons import ItemError, Reason
from lib.storage.config import StorageConfig
from lib.storage.errors import in_words
from lib.storage.retries import ATTEMPTS, Retries
from lib.storage.s3 import BotocoreCredentials
from lib.storage.storage import Storage
from lib.storage.uris import join
from tests.conftest import Bucket

BUDGET = 1000
READING = ReadingConfig()
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


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.storage.retries.FIRST_WAIT_S", 0.001)


def fetch(uri: str, etag: str | None = None, config: StorageConfig | None = None) -> bytes:
    return Fetcher(config or StorageConfig(), Retries(BUDGET), READING).fetch(uri, etag)


def refusal(
    uri: str, etag: str | None = None, config: StorageConfig | None = None, *, retries: int = 0
) -> ItemError:
    """Fetch what cannot be had, and hold how many retries that took."""
    counted = Retries(BUDGET)
    with pytest.raises(ItemError) as caught:
        Fetcher(config or StorageConfig(), counted, READING).fetch(uri, etag)
    assert 0 < len(caught.value.detail) <= 250
    assert "\n" not in caught.value.detail
    assert counted.spent == retries
    return caught.value


def input_error(uri: str, config: StorageConfig | None = None) -> str:
    """Fetch where nothing can be had, and return the sentence, which took no retry."""
    counted = Retries(BUDGET)
    with pytest.raises(InputError) as caught:
        Fetcher(config or StorageConfig(), counted, READING).fetch(uri)
    assert "\n" not in str(caught.value)
    assert counted.spent == 0
    return str(caught.value)


def list_items(prefix: str) -> dict[str, tuple[str, str]]:
    """Return uri and etag of each item below a prefix."""
    items = read_catalog(CatalogConfig(uri=prefix), Storage(StorageConfig()))
    columns = [items[name].to_pylist() for name in ("item_id", "uri", "etag")]
    return {item_id: (uri, etag) for item_id, uri, etag in zip(*columns, strict=True)}


def fetch_listed(prefix: str) -> dict[str, bytes]:
    """List a prefix and fetch each item by the uri, and at the version, that the listing gave."""
    items = list_items(prefix)
    retries = Retries(0)
    fetcher = Fetcher(StorageConfig(), retries, READING)
    with ThreadPoolExecutor(8) as pool:
        data = list(pool.map(lambda item: fetcher.fetch(*item), items.values()))
    return dict(zip(items, data, strict=True))


# whole objects


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_the_bytes_are_the_same_from_every_store(tmp_path: Path, s3: Bucket, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    storage = Storage(StorageConfig())
    for base in (str(tmp_path), f"memory://{uuid.uuid4().hex}", s3.uri):
        storage.write(join(base, "item.jpg"), data)
        assert fetch(join(base, "item.jpg")) == data


def test_a_file_url_is_read_like_its_path(tmp_path: Path) -> None:
    (tmp_path / "a b.jpg").write_bytes(b"x")
    assert fetch(f"file://{tmp_path}/a b.jpg") == b"x"


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
    fetcher = Fetcher(StorageConfig(), Retries(0), READING)
    numbers = [number % 8 for number in range(200)]
    with ThreadPoolExecutor(32) as pool:
        found = pool.map(lambda number: fetcher.fetch(f"{s3.uri}/{number}.jpg"), numbers)
        assert [set(data) for data in found] == [{number} for number in numbers]


# versions


@pytest.mark.parametrize("name", ["item.jpg", "two//slashes.jpg"])
@pytest.mark.parametrize("after", [b"after!", b"another length"])
def test_an_object_that_was_overwritten_since_the_listing_is_changed(
    s3: Bucket, name: str, after: bytes
) -> None:
    s3.put(f"photos/{name}", b"before")
    uri, etag = list_items(s3.uri + "/photos")[name]
    assert fetch(uri, etag) == b"before"
    s3.put(f"photos/{name}", after)
    error = refusal(uri, etag)
    assert (error.reason, error.detail) == (
        Reason.CHANGED,
        f"{uri} is no longer the version {etag}",
    )
    assert fetch(uri) == after


@pytest.mark.parametrize("name", ["item.jpg", "two//slashes.jpg"])
def test_an_object_that_was_deleted_since_the_listing_is_gone(s3: Bucket, name: str) -> None:
    s3.put(f"photos/{name}", b"before")
    uri, etag = list_items(s3.uri + "/photos")[name]
    s3.server.client.delete_object(Bucket=s3.name, Key=f"photos/{name}")
    assert refusal(uri, etag).reason == Reason.GONE


@pytest.mark.parametrize("after", [b"after!", b"another length"])
def test_a_file_that_was_overwritten_since_the_listing_is_changed(
    tmp_path: Path, after: bytes
) -> None:
    path = tmp_path / "item.jpg"
    path.write_bytes(b"before")
    os.utime(path, (1e9, 1e9))
    uri, etag = list_items(str(tmp_path))["item.jpg"]
    assert fetch(uri, etag) == b"before"
    path.write_bytes(after)
    assert refusal(uri, etag).reason == Reason.CHANGED
    assert fetch(uri) == after


def test_an_etag_that_is_no_size_and_time_is_not_held_against_a_file(tmp_path: Path) -> None:
    (tmp_path / "item.jpg").write_bytes(b"x")
    assert fetch(str(tmp_path / "item.jpg"), "0" * 32) == b"x"


# a store that answers as told


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives the server's answers, the last one again and again."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Store)
        status, body = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"any"')
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Store(http.server.ThreadingHTTPServer):
    """An S3 server that gives the answers of a list, whatever it is asked."""

    daemon_threads = True  # keep-alive connections would hold the end of the test

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[str] = []

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def config(self) -> StorageConfig:
        return StorageConfig(endpoint_url=self.url, anonymous=True)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def s3_error(code: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{head}\n<Error><Code>{code}</Code><Message>Why.</Message></Error>".encode()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# retries


@pytest.mark.parametrize(
    "answer",
    [
        (503, s3_error("SlowDown")),
        (500, s3_error("InternalError")),
        (429, b""),
        (400, s3_error("RequestTimeout")),
    ],
)
def test_a_moments_trouble_is_tried_again_and_counted(
    store: Store, answer: tuple[int, bytes]
) -> None:
    store.answers = [answer, answer, (200, b"data")]
    retries = Retries(BUDGET)
    assert Fetcher(store.config, retries, READING).fetch("s3://bucket/item.jpg") == b"data"
    assert retries.spent == 2
    assert store.asked == ["/bucket/item.jpg"] * 3


def test_a_store_that_keeps_failing_costs_the_item_after_all_its_tries(store: Store) -> None:
    store.answers = [(500, s3_error("InternalError"))]
    error = refusal("s3://bucket/item.jpg", config=store.config, retries=ATTEMPTS - 1)
    assert error.reason == Reason.FETCH_FAILED
    assert len(store.asked) == ATTEMPTS


def test_a_spent_budget_ends_the_run(store: Store) -> None:
    store.answers = [(503, s3_error("SlowDown"))]
    fetcher = Fetcher(store.config, Retries(7), READING)
    with pytest.raises(ItemError):
        fetcher.fetch("s3://bucket/1.jpg")
    with pytest.raises(
        ReshelveError, match=r"^the store keeps failing \(.*503.*\); all retries are spent \(7, "
    ):
        fetcher.fetch("s3://bucket/2.jpg")


def test_an_endpoint_that_does_not_answer_fails_the_fetch_after_its_tries(s3: Bucket) -> None:
    config = StorageConfig(endpoint_url="http://127.0.0.1:9")
    error = refusal(s3.uri + "/item.jpg", config=config, retries=ATTEMPTS - 1)
    assert error.reason == Reason.FETCH_FAILED


def test_keys_of_a_role_that_cannot_be_renewed_just_now_are_asked_for_again(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("item.jpg", b"x")
    failures = [OSError("the instance's metadata is busy")] * 2

    class Renewing(BotocoreCredentials):
        def __call__(self) -> dict[str, Any]:
            if failures:
                raise failures.pop()
            return super().__call__()

    monkeypatch.setattr("lib.storage.s3.BotocoreCredentials", Renewing)
    retries = Retries(BUDGET)
    assert Fetcher(StorageConfig(), retries, READING).fetch(s3.uri + "/item.jpg") == b"x"
    assert retries.spent == 2


def test_what_another_try_would_not_change_is_not_tried_again(
    tmp_path: Path, store: Store, s3: Bucket
) -> None:
    (tmp_path / "file.jpg").write_bytes(b"x")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to("loop.jpg")
    store.answers = [(403, s3_error("AccessDenied"))]
    assert refusal("s3://bucket/a.jpg", config=store.config).reason == Reason.FETCH_FAILED
    for uri in (
        str(tmp_path),
        str(tmp_path / "file.jpg" / "below.jpg"),
        str(tmp_path / ("long" * 100)),
        str(loop),
        str(loop / "below.jpg"),
        s3.uri,
    ):
        assert refusal(uri).reason == Reason.FETCH_FAILED


def test_what_is_no_file_is_said_in_words_and_not_by_number(tmp_path: Path) -> None:
    (tmp_path / "file.jpg").write_bytes(b"x")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to("loop.jpg")
    long = tmp_path / ("long" * 100)
    below = tmp_path / "file.jpg" / "below.jpg"
    assert {refusal(str(each)).detail for each in (loop, tmp_path, below, long)} == {
        f"a link that leads to itself, or to too many others: {loop}",
        f"{tmp_path} is not a regular file",
        f"a file stands where a folder is expected: {below}",
        f"File name too long: {long}"[:200],
    }


def test_a_stores_words_come_without_the_systems_number() -> None:
    closed = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert in_words(closed, "http://host/a.jpg") == "Connection refused"


@pytest.mark.parametrize("uri", ["nope://x/y.jpg", "http://[bad/x.jpg", "/a\0b.jpg", ""])
def test_a_uri_that_leads_nowhere_costs_one_item(uri: str) -> None:
    assert refusal(uri).reason == Reason.FETCH_FAILED


@pytest.mark.parametrize("bucket", ["a bucket", "b\u00fccket", "a#b", "a?b", "[", "\0"])
@pytest.mark.usefixtures("s3")
def test_a_bucket_that_can_be_none_costs_one_item(bucket: str) -> None:
    error = refusal(f"s3://{bucket}/item.jpg")
    assert error.reason == Reason.FETCH_FAILED
    assert "Bucket name must match" in error.detail


# what no object can be read without


@pytest.mark.parametrize("key", ["item.jpg", "two//slashes.jpg"])
@pytest.mark.usefixtures("s3")
def test_a_missing_bucket_ends_the_run(key: str) -> None:
    uri = f"s3://reshelve-none-{uuid.uuid4().hex}/{key}"
    assert input_error(uri) == (
        f"{uri}: the store refuses: NoSuchBucket; check bucket, region and credentials"
    )


@pytest.mark.parametrize("key", ["item.jpg", "two//slashes.jpg"])
def test_no_credentials_end_the_run(s3_without_keys: Bucket, key: str) -> None:
    s3_without_keys.put(key, b"x")
    uri = f"{s3_without_keys.uri}/{key}"
    assert input_error(uri).startswith(f"{uri}: there are no credentials for the store; set AWS_")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "RequestTimeTooSkewed"),
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (400, "AuthorizationHeaderMalformed"),
        (404, "NoSuchBucket"),
    ],
)
def test_a_refusal_that_holds_for_every_object_ends_the_run(
    store: Store, status: int, code: str
) -> None:
    store.answers = [(status, s3_error(code))]
    assert f"the store refuses: {code};" in input_error("s3://bucket/item.jpg", store.config)


def test_a_bucket_of_another_region_ends_the_run(store: Store) -> None:
    store.answers = [(301, s3_error("PermanentRedirect"))]
    assert "check bucket, region and credentials" in input_error("s3://bucket/a.jpg", store.config)


@pytest.mark.parametrize("key", ["NoSuchBucket.jpg", "two//ExpiredToken.jpg"])
def test_a_key_with_the_word_of_a_refusal_is_just_gone(s3: Bucket, key: str) -> None:
    assert refusal(f"{s3.uri}/{key}").reason == Reason.GONE


# bytes against their etag


def test_bytes_that_are_not_those_of_the_etag_are_read_again(store: Store) -> None:
    store.answers = [(200, b"dbta"), (200, b"data")]
    retries = Retries(BUDGET)
    assert (
        Fetcher(store.config, retries, READING).fetch("s3://bucket/item.jpg", md5(b"data"))
        == b"data"
    )
    assert retries.spent == 1


def test_bytes_that_are_other_ones_at_each_try_fail_the_fetch(store: Store) -> None:
    store.answers = [(200, f"{number}".encode()) for number in range(ATTEMPTS)]
    error = refusal("s3://bucket/item.jpg", md5(b"data"), config=store.config, retries=ATTEMPTS - 1)
    assert (error.reason, error.detail) == (
        Reason.FETCH_FAILED,
        "the bytes are not those of the etag",
    )


def test_the_same_bytes_twice_show_a_store_whose_etags_are_no_md5(store: Store) -> None:
    store.answers = [(200, b"data")]
    retries = Retries(BUDGET)
    fetcher = Fetcher(store.config, retries, READING)
    assert fetcher.fetch("s3://bucket/1.jpg", "0" * 32) == b"data"
    assert retries.spent == 1
    assert fetcher.fetch("s3://bucket/2.jpg", "1" * 32) == b"data"
    assert retries.spent == 1  # the second is not compared with its etag


@pytest.mark.parametrize("etag", ["0" * 32 + "-2", "W/abc", "0" * 31])
def test_an_etag_that_is_no_md5_is_not_held_against_the_bytes(store: Store, etag: str) -> None:
    store.answers = [(200, b"data")]
    retries = Retries(BUDGET)
    assert Fetcher(store.config, retries, READING).fetch("s3://bucket/item.jpg", etag) == b"data"
    assert retries.spent == 0


def test_a_made_up_etag_of_a_file_does_not_end_the_check_on_s3(
    tmp_path: Path, store: Store
) -> None:
    (tmp_path / "item.jpg").write_bytes(b"x")
    store.answers = [(200, b"dbta"), (200, b"data")]
    fetcher = Fetcher(store.config, Retries(BUDGET), READING)
    fetcher.fetch(str(tmp_path / "item.jpg"), "0" * 32)
    assert fetcher.fetch("s3://bucket/item.jpg", md5(b"data")) == b"data"


# any other store


@pytest.mark.parametrize(
    ("status", "reason", "retries"),
    [
        (404, Reason.GONE, 0),
        (403, Reason.FETCH_FAILED, 0),
        (408, Reason.FETCH_FAILED, ATTEMPTS - 1),
        (429, Reason.FETCH_FAILED, ATTEMPTS - 1),
        (500, Reason.FETCH_FAILED, ATTEMPTS - 1),
    ],
)
def test_a_web_server_that_refuses_costs_one_item(
    store: Store, status: int, reason: Reason, retries: int
) -> None:
    store.answers = [(status, b"no")]
    assert refusal(f"{store.url}/item.jpg", retries=retries).reason == reason


def test_an_item_error_crosses_processes_whole(tmp_path: Path) -> None:
    error = refusal(str(tmp_path / "none.jpg"))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (copy.reason, copy.detail) == (error.reason, error.detail)
