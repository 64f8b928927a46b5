import http.client
import http.server
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.helpers.faults import ANSWERS, Faults, only, storm
from tests.helpers.proxy import FaultProxy

RATES = storm(0.04)
DATA = random.Random(0).randbytes(300_000)  # noqa: S311  # the same bytes in each run


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
    ("kind", "status", "code"), [(kind, *answer[:2]) for kind, answer in ANSWERS.items()]
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
    assert fates(Faults(seed=1, **RATES)) == fates(Faults(seed=1, **RATES), "another")
    assert fates(Faults(seed=1, **RATES)) != fates(Faults(seed=2, **RATES))


def test_each_kind_comes_at_its_rate() -> None:
    counts = Counter(fates(Faults(**RATES)))
    assert set(counts) == {*RATES, ""}
    assert all(50 < counts[kind] < 110 for kind in RATES)  # 80 of 2,000
