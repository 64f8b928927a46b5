import contextlib
import os
import random
import subprocess
import time
import uuid
from collections.abc import Collection, Iterator
from typing import Any

import psutil
import pyarrow as pa
import pytest
from ray.cluster_utils import Cluster

from tests import catalogs
from tests.conftest import Bucket, Server
from tests.faults.nights import Night, Shop, check, ended, kill
from tests.faults.proxy import KINDS, Faults
from tests.local_ray import start, started_with, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.timeout(240)]

SEED = int(os.environ.get("RESHELVE_FAULT_SEED", "0"))
TRIES = 6  # of a run in a storm
FILES = {**catalogs.pictures(36), **catalogs.BROKEN_FILES}


@pytest.fixture(scope="module")
def marker(s3_server: Server) -> Iterator[str]:
    """Mark every process that is started from here on; afterwards none may be left."""
    assert s3_server.endpoint  # it runs before the mark is set
    marker = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESHELVE_TEST_MARKER", marker)
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


def sentences(stderr: str) -> int:
    """Lines on stderr, without what Ray says there of its own log."""
    return sum("logging.cc" not in line for line in stderr.splitlines())


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
    "before-commit": ("^PUT .*/_delta_log/.*[.]json", False, False),
    "reply-to-commit": ("^PUT .*/_delta_log/.*[.]json", True, True),
    "before-outcome": ("^PUT .*/outcome.json", False, False),
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
        assert sentences(sentence) == 1
        check([both[codes[0]]], undisturbed)


@pytest.mark.faults
def test_two_runs_with_other_items_both_land(shop: Shop, undisturbed: pa.Table) -> None:
    for place, (name, data) in enumerate(FILES.items()):
        shop.bucket.put(f"half-{place % 2}/{name}", data)
    with (
        Night(shop, "half-a", images="half-0") as one,
        Night(shop, "half-b", images="half-1", table=one.table) as other,
    ):
        for night in (one, other):
            night.proxy.hold("^PUT .*/manifest.json")
        drivers = [night.start() for night in (one, other)]
        wait_until(lambda: bool(one.proxy.held and other.proxy.held), at_most_s=200)
        for night in (one, other):
            night.proxy.release()
        for driver in drivers:
            code, _, stderr = ended(driver)
            assert code == 0, stderr
        # the same items and labels, but in two folders
        rows = shop.rows(one.table)
        assert without_uri(rows).equals(without_uri(undisturbed))
        check([one, other], rows)


def without_uri(rows: pa.Table) -> pa.Table:
    return rows.drop_columns(["uri", "error_detail"])


@pytest.mark.faults
@pytest.mark.parametrize("turn", range(3))
def test_a_job_killed_at_random_moments_ends_as_if_nothing_had_happened(
    shop: Shop, undisturbed: pa.Table, turn: int
) -> None:
    dice = random.Random(f"{SEED} {turn}")  # noqa: S311  # must repeat
    with Night(shop, f"random-{turn}") as night:
        for _ in range(2):
            # a Ray of its own, which dies with it
            driver = night.start(ray="")
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(dice.uniform(3, 25))
            kill(driver)
        night.finish(ray="")
        check([night], undisturbed)
        assert night.wasted[0] <= 2


@pytest.mark.faults
def test_a_killed_worker_process_costs_its_unit_another_try(
    shop: Shop, undisturbed: pa.Table, marker: str
) -> None:
    with Night(shop, "worker") as night:
        night.proxy.hold(shard(3), after=True)
        driver = night.start()
        wait_until(lambda: night.proxy.held > 0, at_most_s=150)
        workers = [process for process in started_with(marker) if is_actor(process)]
        assert workers
        for worker in workers:
            worker.kill()
        night.proxy.drop()
        code, _, stderr = ended(driver)
        assert code == 0, stderr
        check([night], undisturbed)
        assert night.wasted[0] == 1


def is_actor(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "UnitActor" in " ".join(process.cmdline())
    return False


@pytest.mark.faults
def test_a_node_that_is_lost_costs_its_units_another_try(
    shop: Shop, undisturbed: pa.Table, cluster: Cluster
) -> None:
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    with Night(shop, "node", engine={"actors": 3}) as night:
        night.proxy.hold("^PUT .*/shards/unit-000000[5-9]")
        driver = night.start()
        wait_until(lambda: night.proxy.held >= 3 or driver.poll() is not None, at_most_s=150)
        cluster.remove_node(node, allow_graceful=False)
        night.proxy.drop()
        code, _, stderr = ended(driver)
        assert code == 0, stderr
        check([night], undisturbed)
        assert night.wasted[0] <= 3


@pytest.mark.faults
@pytest.mark.parametrize("turn", range(2))
def test_a_storm_over_the_whole_run_changes_no_label(
    shop: Shop, undisturbed: pa.Table, turn: int
) -> None:
    rates: dict[str, Any] = dict.fromkeys(set(KINDS) - {"conflict"}, 0.03)
    with Night(shop, f"storm-{turn}", faults=Faults(seed=SEED + turn, **rates)) as night:
        for _ in range(TRIES):
            code, _, stderr = ended(night.start())
            if code == 0:
                break
            # a try that the storm has ended says so in one sentence
            print(f"storm: exit code {code}: {stderr}")  # noqa: T201  # the suite's own report
            assert "Traceback" not in stderr
        assert code == 0, stderr
        check([night], undisturbed)


@pytest.mark.faults
def test_a_store_that_is_away_for_some_seconds_costs_nothing(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "away") as night:
        night.proxy.hold(shard(3))
        driver = night.start()
        wait_until(lambda: night.proxy.held > 0, at_most_s=150)
        night.proxy.down()
        night.proxy.drop()
        time.sleep(3)
        night.proxy.up()
        code, _, stderr = ended(driver)
        assert code == 0, stderr
        check([night], undisturbed)


@pytest.mark.faults
@pytest.mark.parametrize("request_", [shard(3), "^PUT .*/manifest.json", "^PUT .*_delta_log/"])
def test_a_store_that_is_away_for_good_is_one_sentence_and_the_same_command_goes_on(
    shop: Shop, undisturbed: pa.Table, request_: str
) -> None:
    with Night(shop, f"gone-{len(request_)}") as night:
        night.proxy.hold(request_)
        driver = night.start()
        wait_until(lambda: night.proxy.held > 0, at_most_s=150)
        night.proxy.down()
        night.proxy.drop()
        code, _, stderr = ended(driver)
        assert (code, sentences(stderr)) == (1, 1), stderr
        night.proxy.up()
        night.finish()
        check([night], undisturbed)


@pytest.mark.faults
def test_an_image_overwritten_during_the_run_is_an_error_and_the_next_nights_label(
    shop: Shop,
) -> None:
    shop.copy("images", "overwritten")
    name = sorted(FILES)[-6]
    with Night(shop, "overwritten-1", images="overwritten") as night:
        night.proxy.hold(shard(2))
        driver = night.start()
        wait_until(lambda: night.proxy.held > 0, at_most_s=150)
        shop.bucket.put(f"overwritten/{name}", catalogs.encode(catalogs.draw(900), name[4:]))
        night.proxy.release()
        code, _, stderr = ended(driver)
        assert code == 0, stderr
        rows = shop.rows(night.table)
        check([night], rows)
        assert errors_of(rows) == {**errors_of(rows, catalogs.BROKEN), name: "changed"}
        table = night.table
    with Night(shop, "overwritten-2", images="overwritten", table=table) as night:
        night.finish()
        assert night.manifest.totals.items == 1
        rows = shop.rows(table)
        check([night], rows)
        assert name not in errors_of(rows)


def errors_of(rows: pa.Table, among: Collection[str] | None = None) -> dict[str, str]:
    """Reasons by item, of the items that have no label."""
    pairs = zip(rows["item_id"].to_pylist(), rows["error"].to_pylist(), strict=True)
    return {name: error for name, error in pairs if error and (among is None or name in among)}


@pytest.mark.faults
@pytest.mark.parametrize("step", ["in-mid-run", "before-commit", "reply-to-commit"])
def test_a_second_night_killed_in_the_middle_ends_as_if_nothing_had_happened(
    shop: Shop, step: str
) -> None:
    images = f"second-{step}"
    shop.copy("images", images)
    tables = [f"{images}-table-{number}" for number in range(2)]
    with Night(shop, f"{images}-first", images=images) as night:
        night.finish()
        for table in tables:
            shop.copy(night.table, table)
    names = sorted(FILES)
    for name in names[:7]:
        shop.delete(f"{images}/{name}")
    for name in names[7:21]:
        data = catalogs.encode(catalogs.draw(int(name[:3]) + 700), name[4:])
        shop.bucket.put(f"{images}/{name}", data)
    for name, data in catalogs.pictures(8, first=100).items():
        shop.bucket.put(f"{images}/{name}", data)
    with Night(shop, f"{images}-undisturbed", images=images, table=tables[0]) as night:
        night.finish()
        expected = shop.rows(tables[0])
        check([night], expected)
    request, after, _ = STEPS[step]
    with Night(shop, f"{images}-killed", images=images, table=tables[1]) as night:
        kill_at(night, shard(3) if step == "in-mid-run" else request, after=after)
        night.finish()
        check([night], expected)
        assert night.manifest.totals.items == 22


@pytest.mark.faults
def test_a_run_that_is_published_later_ends_like_one_that_is_published_at_once(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "later") as night:
        night.finish("--no-publish")
        assert shop.version(night.table) == -1
        code, _, stderr = ended(start("jobs.publish", night.run.uri, "--run-file", night.run_file))
        assert code == 0, stderr
        check([night], undisturbed)
