import hashlib
import http.client
import http.server
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from lib.errors import InputError, ReshelveError
from lib.fetch import Fetcher
from lib.reasons import ItemError
from lib.retries import ATTEMPTS, Retries
from lib.storage import Storage, StorageConfig
from tests.conftest import Bucket
from tests.faults.proxy import KINDS, FaultProxy, Faults

DATA = random.Random(0).randbytes(300_000)  # noqa: S311  # the same bytes in each run
STORM: dict[str, Any] = {kind: 0.04 for kind in KINDS if kind != "conflict"}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.retries.FIRST_WAIT_S", 0.005)


def only(kind: str, **others: Any) -> Faults:  # noqa: ANN401  # any of the fields of Faults
    rate: dict[str, Any] = {kind: 1}
    return Faults(**rate, **others)


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps what is put and gives what is asked for; /chunked comes in chunks."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        assert isinstance(self.server, Plain)
        self.server.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hosts.append(self.headers["Host"])
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        assert isinstance(self.server, Plain)
        self.server.asked.append(self.path)
        data = self.server.objects.get(self.path, DATA)
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (data[:1000], data[1000:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if self.command == "GET" else b"")

    do_HEAD = do_GET  # noqa: N815  # the handler's own names

    def log_message(self, *_: object) -> None:
        pass


class Plain(http.server.ThreadingHTTPServer):
    """A web server that remembers."""

    daemon_threads = True  # keep-alive connections would hold the end of the test
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.hosts: list[str] = []


@pytest.fixture
def plain() -> Iterator[Plain]:
    with Plain() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def connect(proxy: FaultProxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=20)


def ask(proxy: FaultProxy, path: str = "/b/k", method: str = "GET", body: bytes = b"") -> bytes:
    """Ask once, on a fresh connection."""
    connection = connect(proxy)
    try:
        connection.request(method, path, body or None)
        return connection.getresponse().read()
    finally:
        connection.close()


# the proxy by itself


def test_without_faults_every_byte_passes_through(plain: Plain) -> None:
    data = DATA * 10
    with FaultProxy(plain.url) as proxy:
        ask(proxy, "/b/k%20k?x=%2F", "PUT", data)
        assert plain.objects == {"/b/k%20k?x=%2F": data}
        assert plain.hosts == [urlsplit(proxy.url).netloc]  # signatures hold
        assert ask(proxy, "/b/k%20k?x=%2F") == data
        assert ask(proxy, "/chunked") == DATA
        assert ask(proxy, "/b/k", "HEAD") == b""
        assert proxy.counts == {"requests": 4}


def test_one_connection_takes_many_requests(plain: Plain) -> None:
    faults = Faults(slow_down=1, methods=("GET",), paths="^/slow")
    with FaultProxy(plain.url, faults) as proxy:
        connection = connect(proxy)
        ports = set()
        for method, path, found in [
            ("PUT", "/b/1", b""),
            ("HEAD", "/b/1", b""),
            ("GET", "/b/1", b"x"),
            ("GET", "/chunked", DATA),
            ("GET", "/slow", None),
            ("HEAD", "/slow", b""),
            ("GET", "/b/1", b"x"),
        ]:
            connection.request(method, path, b"x" if method == "PUT" else None)
            ports.add(connection.sock.getsockname()[1])
            body = connection.getresponse().read()
            assert found is None or body == found
        connection.close()
    assert len(ports) == 1


def test_many_connections_at_once_each_get_their_own(plain: Plain) -> None:
    plain.objects = {f"/b/{number}": DATA[number:] for number in range(300)}
    with FaultProxy(plain.url) as proxy, ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda path: ask(proxy, path), plain.objects))
        assert found == list(plain.objects.values())
        assert proxy.counts == {"requests": 300}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("slow_down", 503, "SlowDown"),
        ("internal_error", 500, "InternalError"),
        ("conflict", 409, "ConditionalRequestConflict"),
    ],
)
def test_a_refusal_says_what_s3_says(plain: Plain, kind: str, status: int, code: str) -> None:
    with FaultProxy(plain.url, only(kind)) as proxy:
        connection = connect(proxy)
        connection.request("PUT", "/b/k", DATA)
        answer = connection.getresponse()
        assert answer.status == status
        assert f"<Error><Code>{code}</Code><Message>".encode() in answer.read()
        connection.close()
        assert ask(proxy, method="HEAD") == b""
        assert proxy.counts == {"requests": 2, kind: 2}
    assert not plain.objects


def test_a_delayed_request_comes_late_and_whole(plain: Plain) -> None:
    with FaultProxy(plain.url, Faults(delay=1, delay_s=(0.2, 0.3))) as proxy:
        began = time.monotonic()
        assert ask(proxy) == DATA
        assert time.monotonic() - began >= 0.2


def test_a_cut_body_promises_all_and_ends_after_half(plain: Plain) -> None:
    with FaultProxy(plain.url, Faults(cut_body=1)) as proxy:
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask(proxy)
        assert caught.value.partial == DATA[: len(DATA) // 2]
        assert caught.value.expected == len(DATA) - len(DATA) // 2
        assert proxy.counts == {"requests": 1, "cut_body": 1}


def test_a_reset_request_never_comes_to_the_store(plain: Plain) -> None:
    with FaultProxy(plain.url, Faults(reset=1)) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy)
        assert proxy.counts == {"requests": 1, "reset": 1}
    assert not plain.asked


def test_a_flipped_byte_is_one_byte_and_another_one_each_time(plain: Plain) -> None:
    with FaultProxy(plain.url, Faults(flip_byte=1)) as proxy:
        ask(proxy, "/b/k", "PUT", DATA)
        assert plain.objects == {"/b/k": DATA}
        places = set()
        for _ in range(3):
            found = ask(proxy)
            assert len(found) == len(DATA)
            differing = [at for at, byte in enumerate(DATA) if found[at] != byte]
            assert len(differing) == 1
            places.update(differing)
        assert len(places) == 3
        assert proxy.counts == {"requests": 4, "flip_byte": 3}


def test_a_lost_reply_is_that_of_a_request_that_was_done(plain: Plain) -> None:
    with FaultProxy(plain.url, Faults(lost_reply=1)) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy, "/b/k", "PUT", DATA)
        assert proxy.counts == {"requests": 1, "lost_reply": 1}
    assert plain.objects == {"/b/k": DATA}


def test_faults_befall_only_the_requests_that_are_meant(plain: Plain) -> None:
    faults = Faults(reset=1, methods=("GET", "HEAD"), paths=r"/photos/.*\?list", first=2)
    with FaultProxy(plain.url, faults) as proxy:
        ask(proxy, "/b/photos/1?list", "PUT", DATA)
        ask(proxy, "/b/photos/1")
        ask(proxy, "/b/other/1?list")
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                ask(proxy, "/b/photos/1?list")
        assert ask(proxy, "/b/photos/1?list") == DATA
        assert proxy.counts == {"requests": 6, "reset": 2}


def test_a_store_that_is_down_resets_all_until_it_is_up(plain: Plain) -> None:
    with FaultProxy(plain.url) as proxy:
        kept = connect(proxy)
        kept.request("GET", "/b/k")
        kept.getresponse().read()
        proxy.down()
        with pytest.raises(ConnectionResetError):  # RemoteDisconnected is one too
            ask(proxy)
        with pytest.raises(ConnectionResetError):
            kept.sock.recv(1)
        kept.close()
        proxy.up()
        assert ask(proxy) == DATA
    assert len(plain.asked) == 2


def fates(faults: Faults, bucket: str = "b") -> list[str]:
    keys = [f"/{bucket}/photos/{number}.jpg" for number in range(500)]
    return [faults.fate("GET", key, times)[0] for key in keys for times in range(4)]


def test_fates_follow_from_the_seed_and_not_from_the_bucket() -> None:
    assert fates(Faults(seed=1, **STORM)) == fates(Faults(seed=1, **STORM), "another")
    assert fates(Faults(seed=1, **STORM)) != fates(Faults(seed=2, **STORM))


def test_each_kind_comes_at_its_rate() -> None:
    counts = Counter(fates(Faults(**STORM)))
    assert set(counts) == {*STORM, ""}
    assert all(50 < counts[kind] < 110 for kind in STORM)  # 80 of 2,000


# reads through it


def put_photos(s3: Bucket, count: int) -> dict[tuple[str, str], bytes]:
    """Write images of any bytes, and give them by uri and etag."""
    dice = random.Random(1)  # noqa: S311  # the same bytes in each run
    photos = [dice.randbytes(dice.randrange(2_000, 60_000)) for _ in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(s3.put, [f"photos/{number}.jpg" for number in range(count)], photos))
    return {
        (
            f"{s3.uri}/photos/{number}.jpg",
            hashlib.md5(data, usedforsecurity=False).hexdigest(),
        ): data
        for number, data in enumerate(photos)
    }


def fetch_all(
    proxy: FaultProxy, photos: dict[tuple[str, str], bytes], retries: Retries
) -> list[bytes]:
    fetcher = Fetcher(StorageConfig(endpoint_url=proxy.url), retries)
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda photo: fetcher.fetch(*photo), photos))


def test_every_image_comes_whole_through_a_storm_and_the_same_storm_twice(s3: Bucket) -> None:
    photos = put_photos(s3, 200)
    met = []
    for _ in range(2):
        retries = Retries(1000)
        faults = Faults(seed=7, delay_s=(0.1, 0.3), **STORM)
        with FaultProxy(s3.server.endpoint, faults) as proxy:
            assert fetch_all(proxy, photos, retries) == list(photos.values())
            counts = proxy.counts
        assert counts.keys() == {"requests", *STORM}
        # each fault but a delay costs one retry, and nothing else does
        failed = sum(counts[kind] for kind in STORM if kind != "delay")
        assert retries.spent == failed == counts["requests"] - len(photos)
        met.append(counts)
    assert met[0] == met[1]


def test_a_reply_beyond_the_timeout_is_asked_for_again(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.buckets.TIMEOUT", "500ms")
    photos = put_photos(s3, 3)
    retries = Retries(100)
    faults = Faults(delay=1, first=1, delay_s=(2, 2))
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        assert fetch_all(proxy, photos, retries) == list(photos.values())
    assert retries.spent >= 3


@pytest.mark.parametrize("key", ["item.jpg", "two//slashes.jpg"])
@pytest.mark.parametrize("kind", sorted({*STORM} - {"flip_byte"}))
def test_the_first_fault_of_any_kind_costs_no_item(s3: Bucket, key: str, kind: str) -> None:
    s3.put(key, DATA)
    faults = only(kind, first=1, methods=("GET",))
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        fetcher = Fetcher(StorageConfig(endpoint_url=proxy.url), Retries(10))
        etag = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
        assert fetcher.fetch(f"{s3.uri}/{key}", etag) == DATA
        assert proxy.counts[kind] == 1


def test_a_store_that_is_down_for_good_ends_the_run_with_one_sentence(s3: Bucket) -> None:
    photos = put_photos(s3, 40)
    retries = Retries(50)
    with FaultProxy(s3.server.endpoint) as proxy:
        proxy.down()
        fetcher = Fetcher(StorageConfig(endpoint_url=proxy.url), retries)

        def fetch(photo: tuple[str, str]) -> Exception:
            with pytest.raises((ItemError, ReshelveError)) as caught:
                fetcher.fetch(*photo)
            return caught.value

        with ThreadPoolExecutor(16) as pool:
            errors = list(pool.map(fetch, photos))
    assert retries.spent == 50
    final = [error for error in errors if isinstance(error, ReshelveError)]
    assert len(final) >= 30  # ten items at most had all their tries
    for error in final:
        assert not isinstance(error, InputError)
        assert str(error).startswith("the store keeps failing (")
        assert "50 retries are spent, see reading.max_retries" in str(error)
        assert "\n" not in str(error)


def test_a_store_that_comes_back_gives_every_image(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.retries.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr("lib.retries.random.uniform", lambda _low, high: high)
    photos = put_photos(s3, 20)
    retries = Retries(1000)
    with FaultProxy(s3.server.endpoint) as proxy, ThreadPoolExecutor(1) as pool:
        proxy.down()
        found = pool.submit(fetch_all, proxy, photos, retries)
        while not retries.spent:
            time.sleep(0.01)
        proxy.up()
        assert found.result() == list(photos.values())


# writes through it


def storage_at(proxy: FaultProxy) -> Storage:
    return Storage(StorageConfig(endpoint_url=proxy.url))


@pytest.mark.parametrize("kind", ["lost_reply", "reset", "slow_down", "internal_error"])
def test_a_write_whose_first_try_fails_is_written(s3: Bucket, kind: str) -> None:
    faults = only(kind, methods=("PUT",), first=1)
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        storage_at(proxy).write(s3.uri + "/file", DATA)
        assert proxy.counts[kind] == 1
    assert Storage(StorageConfig()).read(s3.uri + "/file") == DATA


@pytest.mark.parametrize("kind", ["lost_reply", "reset", "slow_down", "internal_error"])
def test_a_create_whose_first_try_fails_says_that_it_wrote(s3: Bucket, kind: str) -> None:
    faults = only(kind, methods=("PUT",), first=1)
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        assert storage_at(proxy).create(s3.uri + "/file", b"ours")
        assert proxy.counts[kind] == 1
        assert not storage_at(proxy).create(s3.uri + "/file", b"theirs")
    assert Storage(StorageConfig()).read(s3.uri + "/file") == b"ours"


def test_a_create_whose_reply_is_lost_does_not_take_anothers_object_for_its_own(
    s3: Bucket,
) -> None:
    s3.put("file", b"theirs")
    faults = Faults(lost_reply=1, methods=("PUT",), first=1)
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        assert not storage_at(proxy).create(s3.uri + "/file", b"ours")
    assert Storage(StorageConfig()).read(s3.uri + "/file") == b"theirs"


def test_a_create_in_conflict_with_another_is_tried_again(s3: Bucket) -> None:
    with FaultProxy(s3.server.endpoint, Faults(conflict=1, methods=("PUT",), first=2)) as proxy:
        assert storage_at(proxy).create(s3.uri + "/ours", b"ours")
        assert proxy.counts["conflict"] == 2
        s3.put("theirs", b"theirs")
        assert not storage_at(proxy).create(s3.uri + "/theirs", b"ours")
        assert proxy.counts["conflict"] == 4


def test_a_conflict_without_end_is_one_sentence(s3: Bucket) -> None:
    with FaultProxy(s3.server.endpoint, Faults(conflict=1, methods=("PUT",))) as proxy:
        with pytest.raises(InputError, match="ConditionalRequestConflict") as caught:
            storage_at(proxy).create(s3.uri + "/file", b"ours")
        assert proxy.counts["conflict"] == ATTEMPTS
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", sorted({*STORM} - {"flip_byte"}))
def test_a_read_whose_first_try_fails_gives_all_bytes(s3: Bucket, kind: str) -> None:
    s3.put("file", DATA)
    with FaultProxy(s3.server.endpoint, only(kind, methods=("GET",), first=1)) as proxy:
        assert storage_at(proxy).read(s3.uri + "/file") == DATA
        assert proxy.counts[kind] == 1
