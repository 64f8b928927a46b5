import contextlib
import time
from collections.abc import Iterator

import psutil
import pyarrow as pa
import pytest
from ray.cluster_utils import Cluster

from lib.models.options import UNITS_AT_ONCE
from tests.helpers.jobs import started_with
from tests.helpers.nights import Night, ended, sentences, shard, succeeded
from tests.helpers.ports import free_port
from tests.helpers.proof import check
from tests.helpers.shop import Shop

pytestmark = [
    pytest.mark.ray,
    pytest.mark.s3,
    pytest.mark.faults,
    pytest.mark.timeout(480),
]


def test_a_killed_worker_process_costs_its_unit_another_try(
    shop: Shop, undisturbed: pa.Table, marker: str
) -> None:
    with Night(shop, "worker") as night:
        driver = night.start_until(shard(3), after=True)
        workers = [process for process in started_with(marker) if is_actor(process)]
        assert workers
        for worker in workers:
            worker.kill()
        night.proxy.drop()
        succeeded(driver)
        check(undisturbed, night)
        assert night.wasted[0] <= UNITS_AT_ONCE


def is_actor(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "UnitActor" in " ".join(process.cmdline())
    return False


# a node is taken for lost after seconds, not half a minute
SOON_LOST = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 5,
}


@contextlib.contextmanager
def small_cluster() -> Iterator[Cluster]:
    """A head that only heads, and one node."""
    # Ray leaves a socket open where it finds its usual port taken, as by the other cluster's head
    head = {"num_cpus": 0, "dashboard_port": free_port(), "_system_config": SOON_LOST}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


def test_the_loss_of_the_only_node_costs_its_unit_another_try_on_the_one_that_comes(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with small_cluster() as cluster, Night(shop, "node") as night:
        driver = night.start_until(shard(5), ray=cluster.address)
        (node,) = cluster.worker_nodes
        cluster.remove_node(node, allow_graceful=False)
        night.proxy.drop()
        cluster.add_node(num_cpus=1)
        succeeded(driver)
        check(undisturbed, night)
        assert night.wasted[0] <= UNITS_AT_ONCE


def test_the_loss_of_the_head_ends_the_command_and_the_same_command_goes_on_elsewhere(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "head") as night:
        with small_cluster() as cluster:
            driver = night.start_until(shard(5), ray=cluster.address)
            head = cluster.head_node
            assert head is not None
            began = time.monotonic()
            cluster.remove_node(head, allow_graceful=False)
            night.proxy.drop()
            code, _, stderr = ended(driver)
            seconds = time.monotonic() - began
            print(f"head: exit code {code} after {seconds:.0f} s")  # noqa: T201  # the suite's own report
            assert (code, sentences(stderr)) == (1, 1), stderr
            assert "the head of the Ray cluster" in stderr
        night.finish()
        check(undisturbed, night)
        assert night.wasted[0] <= UNITS_AT_ONCE
