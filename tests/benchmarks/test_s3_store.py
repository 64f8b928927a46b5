import os
from concurrent.futures import ThreadPoolExecutor

import obstore
import psutil
import pytest

from benchmarks import needs
from benchmarks.s3_store import open_store
from lib.storage.config import StorageConfig
from lib.storage.s3 import Buckets


@pytest.fixture(autouse=True)
def _no_store_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(needs.S3_ENDPOINT, raising=False)


@pytest.mark.processes
def test_every_process_of_motos_serves_what_was_written_before() -> None:
    with open_store() as store, store.bucket() as bucket:
        objects = Buckets(StorageConfig()).open(bucket)
        obstore.put(objects, "photo.jpg", b"pixels")
        store.share()
        before_s = store.cpu_s()
        with ThreadPoolExecutor(8) as pool:
            read = list(
                pool.map(lambda _: bytes(obstore.get(objects, "photo.jpg").bytes()), range(64))
            )

        assert read == [b"pixels"] * 64
        assert store.cpu_s() > before_s


@pytest.mark.processes
def test_nothing_of_motos_stays_when_the_benchmark_is_over() -> None:
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    settings = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

    with open_store() as store:
        store.share()
        started = psutil.Process().children(recursive=True)

    _, alive = psutil.wait_procs([each for each in started if each.pid not in before], timeout=30)
    assert alive == []
    assert {k: v for k, v in os.environ.items() if k.startswith("AWS_")} == settings
