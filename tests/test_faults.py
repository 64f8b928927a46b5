import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from ray.cluster_utils import Cluster

from lib.storage import Storage, StorageConfig
from tests import catalogs
from tests.conftest import Bucket, Server
from tests.faults.nights import Night, Shop, check, ended, kill
from tests.local_ray import started_with, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.timeout(240)]

FILES = {**catalogs.pictures(36), **catalogs.BROKEN_FILES}


@pytest.fixture(scope="module")
def marker(s3_server: Server) -> Iterator[str]:
    """Mark every process that is started from here on; afterwards none may be left."""
    assert s3_server.endpoint  # it runs before the mark is set
    marker = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESHELVE_TEST_MARKER", marker)
        environment.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        yield marker
    wait_until(lambda: not started_with(marker), at_most_s=30)


@pytest.fixture(scope="module")
def cluster(marker: str) -> Iterator[Cluster]:  # noqa: ARG001  # its processes bear the mark
    """Two nodes, which outlive the drivers that are killed."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def shop(
    cluster: Cluster, s3_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    bucket = Bucket(f"reshelve-test-{uuid.uuid4().hex}", s3_server)
    s3_server.client.create_bucket(Bucket=bucket.name)
    shop = Shop(bucket, tmp_path_factory.mktemp("shop"), cluster.address)
    catalogs.make_bundle(f"{bucket.uri}/bundle", shop.storage, architecture="squeezenet1_1")
    for name, data in FILES.items():
        bucket.put(f"images/{name}", data)
    yield shop
    for key in bucket.list_keys():
        shop.delete(key)
    s3_server.client.delete_bucket(Bucket=bucket.name)


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> pa.Table:
    with Night(shop, "undisturbed") as night:
        night.finish()
        rows = shop.rows(night.table)
        check([night], rows)
        assert rows["item_id"].to_pylist() == sorted(FILES)
        assert night.wasted == (0, len(FILES) // 4)
    return rows


def kill_at(night: Night, request: str, *, after: bool = False, ray: str | None = None) -> None:
    """Start the command, and kill it while the store has not got a request, or not answered it."""
    night.proxy.hold(request, after=after)
    driver = night.start(ray=ray)
    wait_until(lambda: night.proxy.held > 0 or driver.poll() is not None, at_most_s=150)
    assert driver.poll() is None, driver.communicate()
    kill(driver)
    night.proxy.drop()


def shard(unit: int) -> str:
    return f"^PUT .*/shards/unit-{unit:07d}"


# name: the request that is held, whether the store has done it, and whether it is in `make test`
STEPS = {
    "plan": ("^PUT .*/plan.parquet", False, False),
    "plan-written": ("^PUT .*/night.json", True, False),
    "first-shard": (shard(0), True, False),
    "in-mid-run": (shard(5), False, True),
    "compaction": ("^PUT .*/labels/part-00000", False, False),
    "before-manifest": ("^PUT .*/manifest.json", False, False),
    "before-commit": ("^PUT .*/_delta_log/.*[.]json", False, True),
    "reply-to-commit": ("^PUT .*/_delta_log/.*[.]json", True, False),
    "before-outcome": ("^PUT .*/outcome.json", False, True),
}


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(name, marks=[] if is_short else pytest.mark.faults)
        for name, (_, _, is_short) in STEPS.items()
    ],
)
def test_a_driver_killed_at_a_step_and_run_again_ends_as_if_nothing_had_happened(
    shop: Shop, undisturbed: pa.Table, step: str
) -> None:
    request, after, _ = STEPS[step]
    with Night(shop, f"killed-{step}") as night:
        kill_at(night, request, after=after)
        night.finish()
        check([night], undisturbed)
        assert night.wasted[0] <= 1


def test_of_two_runs_with_the_same_items_one_lands_and_the_other_ends_with_4(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "twin-1") as one, Night(shop, "twin-2", table=one.table) as other:
        both = {night.name: night for night in (one, other)}
        for night in both.values():
            night.proxy.hold("^PUT .*/manifest.json")
        drivers = {name: night.start() for name, night in both.items()}
        wait_until(lambda: all(night.proxy.held for night in both.values()), at_most_s=200)
        for night in both.values():
            night.proxy.release()
        found = {name: ended(driver) for name, driver in drivers.items()}
        codes = {code: name for name, (code, _, _) in found.items()}
        assert set(codes) == {0, 4}, found
        sentence = found[codes[4]][2]
        assert f"has published {len(FILES)} of the same items" in sentence
        assert len(sentence.splitlines()) == 1
        check([both[codes[0]]], undisturbed)
