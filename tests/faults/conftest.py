"""One cluster, one shop and its undisturbed night for all files of this folder that ask."""

import contextlib
import uuid
from collections.abc import Iterator

import pyarrow as pa
import pytest
from ray.cluster_utils import Cluster

from tests.conftest import Bucket, Server
from tests.helpers import catalogs
from tests.helpers.jobs import started_with, wait_until
from tests.helpers.nights import UNIT_SIZE, Night
from tests.helpers.ports import free_port
from tests.helpers.proof import check
from tests.helpers.shop import FILES, Shop

CLASSIFIED = "classified"


@pytest.fixture(scope="package")
def marker(s3_server: Server) -> Iterator[str]:
    """Mark every process that is started from here on; afterwards none may be left."""
    assert s3_server.endpoint  # it runs before the mark is set
    marker = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESHELVE_TEST_MARKER", marker)
        yield marker
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not started_with(marker), at_most_s=30)
    left = [" ".join(process.cmdline()) for process in started_with(marker)]
    assert not left, left


@pytest.fixture(scope="package")
def cluster(marker: str) -> Iterator[Cluster]:  # noqa: ARG001  # its processes bear the mark
    """Two nodes, which outlive the drivers that are killed."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "dashboard_port": free_port()}
    )
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="package")
def shop(
    cluster: Cluster, s3_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    bucket = Bucket(f"reshelve-test-{uuid.uuid4().hex}", s3_server)
    s3_server.client.create_bucket(Bucket=bucket.name)
    shop = Shop(bucket, tmp_path_factory.mktemp("shop"), cluster.address)
    uri = f"{bucket.uri}/bundle"
    # as a training leaves it; and torch's network, which is made without, takes longer to import
    catalogs.make_bundle(uri, shop.storage, architecture="squeezenet1_1", converted=True)
    for name, data in FILES.items():
        bucket.put(f"images/{name}", data)
    yield shop
    for key in bucket.list_keys():
        shop.delete(key)
    s3_server.client.delete_bucket(Bucket=bucket.name)


@pytest.fixture(scope="package")
def undisturbed(shop: Shop) -> pa.Table:
    with Night(shop, "undisturbed") as night:
        night.finish()
        rows = shop.rows(night.table)
        check(rows, night)
        assert rows["item_id"].to_pylist() == sorted(FILES)
        assert night.wasted == (0, len(FILES) // UNIT_SIZE)
    return rows


@pytest.fixture(scope="package")
def _classified(shop: Shop) -> None:
    with Night(shop, CLASSIFIED) as night:
        night.kill_at("^PUT .*/labels/part-00000")
    shop.copy(CLASSIFIED, f"{CLASSIFIED}-kept")


@pytest.fixture
def classified(shop: Shop, _classified: None) -> Iterator[Night]:
    """A night whose units are all done, but nothing else; without Ray, it ends in seconds."""
    shop.bring_back(CLASSIFIED, f"{CLASSIFIED}-kept")
    with Night(shop, CLASSIFIED) as night:
        yield night
