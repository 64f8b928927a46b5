import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.errors import InputError, ReshelveError
from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.reasons import ItemError
from lib.runs.plan import Plan
from lib.storage.config import StorageConfig
from lib.storage.retries import ATTEMPTS, Retries
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.faults import Faults, only, storm
from tests.helpers.proxy import FaultProxy

DATA = random.Random(0).randbytes(300_000)  # noqa: S311  # the same bytes in each run
STORM = storm(0.04)
READING = ReadingConfig()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.storage.retries.FIRST_WAIT_S", 0.005)


# reads through the proxy


def put_photos(s3: Bucket, count: int) -> dict[tuple[str, str], bytes]:
    """Write images of any bytes, and return them by uri and etag."""
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
    proxy: FaultProxy,
    photos: dict[tuple[str, str], bytes],
    retries: Retries,
    reading: ReadingConfig = READING,
) -> list[bytes]:
    fetcher = Fetcher(StorageConfig(endpoint_url=proxy.url), retries, reading)
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


def test_a_reply_that_does_not_come_is_asked_for_again_within_the_limit(s3: Bucket) -> None:
    reading = ReadingConfig(timeout_s=6.0)
    photos = put_photos(s3, 3)
    retries = Retries(100)
    faults = Faults(delay=1, first=1, delay_s=(5, 5))
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        assert fetch_all(proxy, photos, retries, reading) == list(photos.values())
    assert retries.spent >= 3


@pytest.mark.parametrize("key", ["item.jpg", "two//slashes.jpg"])
@pytest.mark.parametrize("kind", sorted({*STORM} - {"flip_byte"}))
def test_the_first_fault_of_any_kind_costs_no_item(s3: Bucket, key: str, kind: str) -> None:
    s3.put(key, DATA)
    faults = only(kind, first=1, methods=("GET",))
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        fetcher = Fetcher(StorageConfig(endpoint_url=proxy.url), Retries(10), READING)
        etag = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
        assert fetcher.fetch(f"{s3.uri}/{key}", etag) == DATA
        assert proxy.counts[kind] == 1


def test_a_store_that_is_down_for_good_ends_the_run_with_one_sentence(s3: Bucket) -> None:
    photos = put_photos(s3, 40)
    retries = Retries(50)
    with FaultProxy(s3.server.endpoint) as proxy:
        proxy.down()
        fetcher = Fetcher(StorageConfig(endpoint_url=proxy.url), retries, READING)

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
        assert "all retries are spent (50, see reading.max_retries)" in str(error)
        assert "\n" not in str(error)


def test_a_store_that_comes_back_gives_every_image(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.storage.retries.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr("lib.storage.retries.random.uniform", lambda _low, high: high)
    photos = put_photos(s3, 20)
    retries = Retries(1000)
    with FaultProxy(s3.server.endpoint) as proxy, ThreadPoolExecutor(1) as pool:
        proxy.down()
        found = pool.submit(fetch_all, proxy, photos, retries)
        while not retries.spent:
            time.sleep(0.01)
        proxy.up()
        assert found.result() == list(photos.values())


# writes through the proxy


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


@pytest.mark.parametrize("kind", sorted(STORM))
def test_a_read_whose_first_try_fails_gives_all_bytes(
    s3: Bucket, tmp_path: Path, kind: str
) -> None:
    s3.put("file", DATA)
    with FaultProxy(s3.server.endpoint, only(kind, methods=("GET",), first=1)) as proxy:
        assert storage_at(proxy).read(s3.uri + "/file") == DATA
        assert proxy.counts[kind] == 1
    with FaultProxy(s3.server.endpoint, only(kind, methods=("GET",), first=1)) as proxy:
        storage_at(proxy).download(s3.uri + "/file", tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == DATA
        assert proxy.counts[kind] == 1


@pytest.mark.parametrize("kind", ["slow_down", "internal_error"])
def test_a_question_that_the_store_is_too_busy_for_eight_times_is_answered(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("botocore.retryhandler.random.random", lambda: 0.005)
    s3.put("file", DATA)
    with FaultProxy(s3.server.endpoint, only(kind, methods=("HEAD",), first=8)) as proxy:
        assert storage_at(proxy).exists(s3.uri + "/file")
        assert storage_at(proxy).read(s3.uri + "/file") == DATA
        assert proxy.counts[kind] == 8


@pytest.mark.parametrize("kind", sorted(STORM))
def test_a_plan_whose_first_read_fails_gives_all_items(s3: Bucket, kind: str) -> None:
    store = Storage(StorageConfig())
    items = catalogs.read_items(catalogs.write_catalog(s3.uri, catalogs.pictures(5), store), store)
    catalogs.write_plan(catalogs.run_at(s3.uri, store), items, 5)
    with FaultProxy(s3.server.endpoint, only(kind, methods=("GET",), first=1)) as proxy:
        plan = Plan(catalogs.run_at(s3.uri, storage_at(proxy)))
        assert plan.items == 5
        assert plan.read(0) == items
        assert proxy.counts[kind] == 1
