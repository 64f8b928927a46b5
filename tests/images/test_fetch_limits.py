import contextlib
import http.server
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.errors import ReshelveError
from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.reasons import ItemError, Reason
from lib.storage.config import StorageConfig
from lib.storage.retries import Retries
from lib.storage.storage import Storage

IN_HASTE = ReadingConfig(timeout_s=0.4)
SMALL = ReadingConfig(max_image_bytes=1000)
EXACT = b"x" * 1000
TERABYTE = 10**12


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers as the last part of the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Store)
        self.server.asked.append(self.path)
        self.close_connection = True
        name = self.path.rsplit("/", 1)[-1]
        if name == "silent.jpg":
            self.server.ended.wait()
            return
        lengths = {"exact.jpg": len(EXACT), "slow.jpg": 100_000, "endless.jpg": None}
        self._send_head(lengths.get(name, TERABYTE))
        with contextlib.suppress(ConnectionError):
            if name == "exact.jpg":
                self.wfile.write(EXACT)
                return
            while not self.server.ended.is_set():
                if name == "slow.jpg":
                    self.wfile.write(b"x")
                    self.server.ended.wait(0.02)
                else:
                    self.wfile.write(bytes(100_000))

    def _send_head(self, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("ETag", '"any"')
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Store(http.server.ThreadingHTTPServer):
    """A web server, or an S3 server, whose objects are told by their names."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[str] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def config(self) -> StorageConfig:
        return StorageConfig(endpoint_url=self.url, anonymous=True)

    def place(self, kind: str) -> str:
        places = {"web": self.url, "s3": "s3://bucket", "s3, by an odd key": "s3://bucket/two/"}
        return places[kind]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


@pytest.fixture(params=["web", "s3", "s3, by an odd key"])
def place(request: pytest.FixtureRequest, store: Store) -> str:
    """Where the server's objects lie, by each way to them."""
    return store.place(request.param)


def refusal(
    uri: str, reading: ReadingConfig, config: StorageConfig | None = None
) -> tuple[str, str]:
    """Fetch what cannot be had; return the reason and the sentence."""
    with pytest.raises(ItemError) as caught:
        Fetcher(config or StorageConfig(), Retries(1000), reading).fetch(uri)
    return caught.value.reason, caught.value.detail


# files that are none


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
        for path in (*tmp_path.iterdir(), Path("/dev/zero"), Path("/dev/tty")):
            with pytest.raises(ItemError) as caught:
                Fetcher(StorageConfig(), Retries(0), ReadingConfig()).fetch(str(path))
            assert caught.value.reason == Reason.FETCH_FAILED
            assert caught.value.detail.endswith(f"{path.resolve()} is not a regular file")


def test_a_file_that_does_not_say_its_length_is_read_to_its_end() -> None:
    data = Fetcher(StorageConfig(), Retries(0), ReadingConfig()).fetch("/proc/self/status")
    assert b"Name:" in data
    assert data.endswith(b"\n")


# seconds


@pytest.mark.parametrize("name", ["silent.jpg", "slow.jpg"])
def test_what_takes_too_long_is_an_items_error_and_the_next_one_is_read(
    store: Store, place: str, name: str
) -> None:
    reason, detail = refusal(f"{place}/{name}", IN_HASTE, store.config)
    assert reason == Reason.FETCH_FAILED
    assert detail.startswith("the store does not give it within 0.4 s: ")
    fetcher = Fetcher(store.config, Retries(0), ReadingConfig())
    assert fetcher.fetch(f"{place}/exact.jpg") == EXACT


def test_all_tries_of_an_item_together_have_one_limit(store: Store, place: str) -> None:
    refusal(f"{place}/silent.jpg", IN_HASTE, store.config)
    assert len(store.asked) <= 2


def test_a_library_that_cannot_be_broken_off_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        uri = f"ftp://127.0.0.1:{mute.getsockname()[1]}/item.jpg"
        assert refusal(uri, IN_HASTE) == (
            Reason.FETCH_FAILED,
            "the store does not give it within 0.4 s: it takes too long",
        )


def test_a_store_that_never_answers_ends_the_run_as_its_budget_is_spent(
    store: Store, place: str
) -> None:
    fetcher = Fetcher(store.config, Retries(0), IN_HASTE)
    with pytest.raises(ReshelveError, match="all retries are spent"):
        fetcher.fetch(f"{place}/silent.jpg")


# bytes


def test_an_object_of_just_as_many_bytes_as_the_limit_is_read_in_one_request(
    store: Store, place: str
) -> None:
    assert Fetcher(store.config, Retries(0), SMALL).fetch(f"{place}/exact.jpg") == EXACT
    assert len(store.asked) == 1


def test_an_object_that_says_that_it_is_larger_is_not_read(store: Store, place: str) -> None:
    assert refusal(f"{place}/large.jpg", SMALL, store.config) == (
        Reason.TOO_LARGE,
        "the file has 1,000,000,000,000 bytes, more than 1,000",
    )
    assert len(store.asked) == 1


def test_an_answer_that_does_not_say_its_length_is_read_up_to_the_limit(store: Store) -> None:
    assert refusal(f"{store.url}/endless.jpg", SMALL) == (
        Reason.TOO_LARGE,
        "the file has more bytes than 1,000",
    )


def test_a_file_and_an_object_of_any_other_store_have_the_same_limit(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(TERABYTE)  # takes no place on the disk
    assert refusal(str(large), SMALL) == (
        Reason.TOO_LARGE,
        "the file has 1,000,000,000,000 bytes, more than 1,000",
    )
    assert refusal("/proc/self/smaps", SMALL) == (
        Reason.TOO_LARGE,
        "the file has more bytes than 1,000",
    )
    uri = f"memory://{uuid.uuid4().hex}/item.jpg"
    for data in (b"", EXACT):
        Storage(StorageConfig()).write(uri, data)
        assert Fetcher(StorageConfig(), Retries(0), SMALL).fetch(uri) == data
    Storage(StorageConfig()).write(uri, EXACT + b"x")
    assert refusal(uri, SMALL) == (
        Reason.TOO_LARGE,
        "the file has 1,001 bytes, more than 1,000",
    )
