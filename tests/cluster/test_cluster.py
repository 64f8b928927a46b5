import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from deltalake import DeltaTable
from ray.cluster_utils import Cluster

from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket, Server
from tests.helpers import catalogs
from tests.helpers.jobs import finish, start, started_with, wait_until

PICTURES = catalogs.pictures(45)
FILES = {**PICTURES, **catalogs.BROKEN_FILES}
MISSING = [name for name in catalogs.BROKEN if name not in FILES]

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog, a bundle and a run file in which every path is relative."""
    home = tmp_path_factory.mktemp("home")
    catalogs.write_catalog(str(home / "images"), FILES, missing=MISSING)
    catalogs.make_bundle(str(home / "bundle"), architecture="squeezenet1_1")
    return home


def write_run_file(
    folder: Path, base: str, name: str, storage: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Write a run file whose inputs and outputs lie below `base`."""
    described = {
        "output": f"{base}{name}/runs",
        "run_id": name,
        "catalog": {"uri": f"{base}images/manifest.csv"},
        "bundle": f"{base}bundle",
        "labels_table": f"{base}{name}/labels",
        "embeddings": f"{base}{name}/embeddings",
        "engine": {
            "device": "cpu",
            "precision": "fp32",
            "cpus_per_actor": 1,
            "batch_size": 8,
            "unit_size": 4,
        },
        "gates": {"max_error_rate": 0.2},
        "storage": dict(storage),
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(described))
    return str(path)


@pytest.fixture(scope="module")
def marker(s3_server: Server) -> Iterator[str]:
    """Mark every process that is started from here on; afterwards none may be left."""
    assert s3_server.endpoint  # it runs before the mark is set
    marker = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESHELVE_TEST_MARKER", marker)
        yield marker
    try:
        wait_until(lambda: not started_with(marker), at_most_s=20)
    finally:
        assert [" ".join(process.cmdline()) for process in started_with(marker)] == []


@pytest.fixture(scope="module")
def cluster(marker: str) -> Iterator[Cluster]:  # noqa: ARG001  # its processes bear the mark
    """Three nodes on this machine; the head computes nothing."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


def labels_on_one_node(home: Path, marker: str) -> pa.Table:
    run_file = write_run_file(home, "", "one-node")
    environment = {"RAY_ADDRESS": "", "RESHELVE_TEST_MARKER": marker}
    code, _, stderr = finish(start("jobs.classify", run_file, folder=home, environment=environment))
    assert code == 0, stderr
    return rows_of(str(home / "one-node" / "labels"))


def rows_of(table_uri: str) -> pa.Table:
    options = {"AWS_ALLOW_HTTP": "true"} if table_uri.startswith("s3:") else None
    return catalogs.without_run(DeltaTable(table_uri, storage_options=options))


@pytest.fixture(scope="module")
def one_node(home: Path, marker: str) -> pa.Table:
    return labels_on_one_node(home, marker)


def test_three_nodes_give_the_rows_of_one(one_node: pa.Table, cluster: Cluster, home: Path) -> None:
    # the nodes were started in another folder than the job: a path means the same on each
    run_file = write_run_file(home, "", "three-nodes")

    code, stdout, stderr = finish(
        start("jobs.classify", run_file, folder=home, environment={"RAY_ADDRESS": cluster.address})
    )

    assert code == 0, stderr
    assert f"{len(PICTURES)} of {len(FILES) + len(MISSING)} items labelled" in stdout
    assert rows_of(str(home / "three-nodes" / "labels")).equals(one_node)


def test_three_nodes_give_the_same_labels_from_s3(
    one_node: pa.Table, cluster: Cluster, home: Path, s3: Bucket
) -> None:
    storage = Storage(StorageConfig())
    for name, data in catalogs.folder_of(home / "bundle").items():
        storage.write(f"{s3.uri}/bundle/{name}", data)
    catalogs.write_catalog(f"{s3.uri}/images", FILES, storage, missing=MISSING)
    # the nodes do not know the keys: they travel with the job, from the run file alone
    keys = {
        "endpoint_url": s3.server.endpoint,
        "access_key_id": s3.server.key,
        "secret_access_key": s3.server.secret,
    }
    run_file = write_run_file(home, f"{s3.uri}/", "from-s3", keys)

    code, _, stderr = finish(
        start("jobs.classify", run_file, folder=home, environment={"RAY_ADDRESS": cluster.address})
    )

    assert code == 0, stderr
    where = ["uri", "error_detail"]
    on_s3 = rows_of(f"{s3.uri}/from-s3/labels")
    assert on_s3.drop_columns(where).equals(one_node.drop_columns(where))
    assert pc.all(pc.starts_with(on_s3["uri"], f"{s3.uri}/images/")).as_py()
    for key in s3.list_keys():
        assert s3.server.secret.encode() not in storage.read(f"{s3.uri}/{key}")


def test_a_cluster_that_does_not_answer_is_one_sentence(home: Path) -> None:
    run_file = write_run_file(home, "", "nowhere")

    code, _, stderr = finish(
        start("jobs.classify", run_file, folder=home, environment={"RAY_ADDRESS": "127.0.0.1:9"})
    )

    assert code == 1
    assert "RAY_ADDRESS=127.0.0.1:9" in stderr
    assert len(stderr.splitlines()) == 1
