import pickle
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lib.errors import InputError, StoreError
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join, local_path, protocol_of
from tests.conftest import Bucket

KINDS = ("local", "memory", "s3")
NAMES = ("a b.json", "ünï.json", "x#1", "q?v=1", "50%20off", "50%", "a+b", "[g]*", "~", "'\"&;,=")


@dataclass(frozen=True)
class Place:
    """An empty folder in one kind of store."""

    kind: str
    uri: str
    storage: Storage

    def at(self, name: str) -> str:
        return join(self.uri, name)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    uri = {"local": str(tmp_path / "folder"), "memory": f"memory://{uuid.uuid4().hex}"}
    if request.param == "s3":
        uri["s3"] = request.getfixturevalue("s3").uri + "/folder"
    return Place(request.param, uri[request.param], Storage(StorageConfig()))


@pytest.fixture
def strict_s3(s3: Bucket) -> Iterator[Bucket]:
    """A store that refuses wrong keys; moto takes any unless told."""

    def tell(free_requests: str) -> None:
        if not s3.server.is_ceph:
            url = f"{s3.server.endpoint}/moto-api/reset-auth"
            headers = {"Content-Type": "text/plain"}
            request = urllib.request.Request(url, free_requests.encode(), headers)  # noqa: S310  # our own server
            urllib.request.urlopen(request).close()  # noqa: S310  # our own server

    tell("0")
    yield s3
    tell("inf")


def sentence(error: pytest.ExceptionInfo[InputError], uri: str) -> str:
    text = str(error.value)
    assert text.startswith(f"{uri}: ")
    assert "\n" not in text
    assert "None" not in text
    return text.removeprefix(f"{uri}: ")


# what every store does


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4096], ids=["0", "1", "1M"])
def test_what_is_written_reads_back(place: Place, data: bytes) -> None:
    place.storage.write(place.at("some/folder/file"), data)
    assert place.storage.read(place.at("some/folder/file")) == data


def test_a_second_write_replaces_the_first(place: Place) -> None:
    place.storage.write(place.at("file"), b"long before")
    place.storage.write(place.at("file"), b"after")
    assert place.storage.read(place.at("file")) == b"after"


def test_create_keeps_what_is_there_and_says_so(place: Place) -> None:
    assert place.storage.create(place.at("some/file"), b"first")
    assert not place.storage.create(place.at("some/file"), b"second")
    assert place.storage.read(place.at("some/file")) == b"first"


def test_an_object_exists_from_its_write_to_its_delete(place: Place) -> None:
    uri = place.at("file")
    assert not place.storage.exists(uri)
    place.storage.write(uri, b"x")
    assert place.storage.exists(uri)
    place.storage.delete(uri)
    assert not place.storage.exists(uri)


def test_an_object_that_was_deleted_can_be_created_again(place: Place) -> None:
    place.storage.create(place.at("file"), b"first")
    place.storage.delete(place.at("file"))
    assert place.storage.create(place.at("file"), b"second")


def test_deleting_what_is_not_there_does_nothing(place: Place) -> None:
    place.storage.delete(place.at("file"))
    place.storage.write(place.at("other"), b"x")
    place.storage.delete(place.at("file"))
    assert place.storage.names(place.uri) == {"other"}


def test_names_are_those_right_below_the_folder(place: Place) -> None:
    for name in ("b.json", "a.json", "deep/er/c.json"):
        place.storage.write(place.at(name), b"x")
    place.storage.write(f"{place.uri}-beside/d.json", b"x")
    assert place.storage.names(place.uri) == {"a.json", "b.json", "deep"}
    assert place.storage.names(place.uri + "/") == {"a.json", "b.json", "deep"}


def test_names_of_a_folder_that_is_not_there_are_none(place: Place) -> None:
    assert place.storage.names(place.at("nowhere")) == set()


def test_names_show_each_change_at_once(place: Place) -> None:
    for number in range(3):
        place.storage.write(place.at(f"{number}"), b"x")
        assert len(place.storage.names(place.uri)) == number + 1


def test_any_name_works(place: Place) -> None:
    for name in NAMES:
        assert place.storage.create(place.at(name), name.encode())
        assert place.storage.exists(place.at(name))
    assert place.storage.names(place.uri) == set(NAMES)
    assert [place.storage.read(place.at(name)) for name in NAMES] == [n.encode() for n in NAMES]
    for name in NAMES:
        place.storage.delete(place.at(name))
    assert place.storage.names(place.uri) == set()


def test_reading_what_is_not_there_says_so(place: Place) -> None:
    with pytest.raises(InputError) as caught:
        place.storage.read(place.at("file"))
    assert sentence(caught, place.at("file")) == "not found"


@pytest.mark.parametrize("place", ["local", "s3"], indirect=True)
def test_of_many_who_create_at_once_exactly_one_does(place: Place) -> None:
    start = threading.Barrier(16)

    def create(number: int) -> bool:
        start.wait()
        return place.storage.create(place.at("manifest.json"), f"{number}".encode())

    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(create, range(16)))
    assert created.count(True) == 1
    assert place.storage.read(place.at("manifest.json")) == f"{created.index(True)}".encode()


def test_a_copy_in_another_process_works_and_takes_no_connection_along(place: Place) -> None:
    place.storage.write(place.at("file"), b"x")
    travelling = pickle.dumps(place.storage)
    assert len(travelling) < 1000
    copy = pickle.loads(travelling)  # noqa: S301  # our own bytes
    assert list(vars(copy)) == ["config"]
    assert copy.config == place.storage.config
    assert copy.read(place.at("file")) == b"x"


# local disk


def test_a_local_write_leaves_nothing_else_behind(tmp_path: Path) -> None:
    storage = Storage(StorageConfig())
    storage.write(str(tmp_path / "a"), b"x")
    storage.create(str(tmp_path / "a"), b"y")
    storage.create(str(tmp_path / "b"), b"z")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_local_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError) as caught:
        Storage(StorageConfig()).write(str(tmp_path / "folder"), b"x")
    assert sentence(caught, str(tmp_path / "folder")) == "Is a directory; expected a file"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_reader_of_a_local_file_sees_one_whole_version(tmp_path: Path) -> None:
    storage, uri = Storage(StorageConfig()), str(tmp_path / "file")
    versions = [bytes([number]) * 200_000 for number in range(4)]
    storage.write(uri, versions[0])
    done = threading.Event()

    def read() -> set[bytes]:
        seen: set[bytes] = set()
        while not done.is_set():
            seen.add(storage.read(uri))
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(60):
            storage.write(uri, versions[number % 4])
        done.set()
        seen = set().union(*(reader.result() for reader in readers))
    assert seen <= set(versions)


@pytest.mark.parametrize("verb", ["read", "write", "create", "delete", "names"])
def test_a_file_in_a_folders_place_is_one_sentence(tmp_path: Path, verb: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    uri = str(tmp_path / "file" / "below")
    data = (b"x",) if verb in {"write", "create"} else ()
    with pytest.raises(InputError) as caught:
        getattr(Storage(StorageConfig()), verb)(uri, *data)
    assert sentence(caught, uri) == "Not a directory; a file stands where a folder is expected"


def test_a_word_in_a_path_is_not_taken_for_an_error(tmp_path: Path) -> None:
    uri = str(tmp_path / "bucket" / "file")
    with pytest.raises(InputError) as caught:
        Storage(StorageConfig()).read(uri)
    assert sentence(caught, uri) == "not found"


def test_a_protocol_that_nobody_knows_is_one_sentence() -> None:
    with pytest.raises(InputError) as caught:
        Storage(StorageConfig()).read("nope://x/y")
    assert sentence(caught, "nope://x/y").startswith("no store is known by 'nope://'; expected ")


def test_a_host_that_does_not_answer_is_not_taken_for_a_missing_file() -> None:
    with pytest.raises(StoreError) as caught:
        Storage(StorageConfig()).read("http://127.0.0.1:9/file")
    assert sentence(caught, "http://127.0.0.1:9/file").startswith("the store cannot be reached: ")


@pytest.mark.usefixtures("s3")
def test_an_endpoint_of_the_environment_that_is_no_address_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9")
    with pytest.raises(InputError, match=r"AWS_ENDPOINT_URL=127\.0\.0\.1:9: it should begin with"):
        Storage(StorageConfig()).read("s3://bucket/file")


# S3

VERBS = {"read": (), "write": (b"x",), "create": (b"x",), "delete": (), "names": (), "exists": ()}


def test_a_key_with_the_word_bucket_is_not_taken_for_a_missing_bucket(s3: Bucket) -> None:
    uri = s3.uri + "/bucket/file"
    with pytest.raises(InputError) as caught:
        Storage(StorageConfig()).read(uri)
    assert sentence(caught, uri) == "not found"


@pytest.mark.parametrize("verb", ["read", "write", "create"])
@pytest.mark.usefixtures("s3")
def test_a_missing_bucket_is_named(verb: str) -> None:
    name = f"reshelve-none-{uuid.uuid4().hex}"
    uri = f"s3://{name}/folder/file"
    with pytest.raises(InputError) as caught:
        getattr(Storage(StorageConfig()), verb)(uri, *VERBS[verb])
    assert sentence(caught, uri) == f"the bucket '{name}' does not exist"


@pytest.mark.parametrize("verb", VERBS)
def test_wrong_credentials_are_one_sentence_that_says_what_to_set(
    strict_s3: Bucket, verb: str
) -> None:
    config = StorageConfig.model_validate(
        {"access_key_id": "WRONGKEY", "secret_access_key": "wrong-secret"}
    )
    uri = strict_s3.uri + "/folder/file"
    with pytest.raises(InputError) as caught:
        getattr(Storage(config), verb)(uri, *VERBS[verb])
    text = sentence(caught, uri)
    assert text.startswith("the store refused these credentials (")
    assert "AWS_ACCESS_KEY_ID" in text
    assert "wrong-secret" not in text


def test_no_credentials_at_all_are_one_sentence_that_says_what_to_set(
    s3_without_keys: Bucket,
) -> None:
    uri = s3_without_keys.uri + "/file"
    with pytest.raises(InputError) as caught:
        Storage(StorageConfig()).write(uri, b"x")
    said = sentence(caught, uri)
    assert said.startswith("there are no credentials for the store; set AWS_ACCESS_KEY_ID")


@pytest.mark.parametrize("verb", VERBS)
def test_an_endpoint_that_does_not_answer_is_one_sentence(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # else it takes five, up to twelve seconds
    uri = s3.uri + "/file"
    with pytest.raises(InputError) as caught:
        getattr(Storage(StorageConfig(endpoint_url="http://127.0.0.1:9")), verb)(uri, *VERBS[verb])
    text = sentence(caught, uri)
    assert text.startswith("the store cannot be reached: nothing answers at http://127.0.0.1:9 (")
    assert "AWS_ENDPOINT_URL, or storage.endpoint_url in the run file" in text


def test_the_run_files_keys_and_endpoint_win_over_the_environments(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = StorageConfig.model_validate(
        {
            "endpoint_url": s3.server.endpoint,
            "access_key_id": s3.server.key,
            "secret_access_key": s3.server.secret,
        }
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "WRONGKEY")
    Storage(config).write(s3.uri + "/file", b"x")
    assert s3.list_keys() == ["file"]


# URIs


@pytest.mark.parametrize(
    ("uri", "protocol"),
    [
        ("s3://bucket/key", "s3"),
        ("S3://bucket/key", "s3"),
        ("s3a://bucket/key", "s3"),
        ("s3://[odd/key", "s3"),
        ("/some/path", "file"),
        ("path", "file"),
        ("file:///some/path", "file"),
        ("a:b/c", "file"),
        ("/path/with://in-it", "file"),
        ("memory://x", "memory"),
    ],
)
def test_every_uri_has_a_protocol(uri: str, protocol: str) -> None:
    assert protocol_of(uri) == protocol


def test_local_paths_become_absolute_and_urls_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("runs/../out/") == f"{tmp_path}/out"
    assert absolute(f"file://{tmp_path}/out") == f"{tmp_path}/out"
    assert absolute("s3://bucket/out/") == "s3://bucket/out"
    assert local_path("out") == f"{tmp_path}/out"


def test_joined_names_stand_below_the_base() -> None:
    assert join("s3://bucket/out/", "runs", "a b") == "s3://bucket/out/runs/a b"
