from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lib.cluster import connection as cluster
from lib.cluster.workers_config import WorkersConfig
from lib.errors import InputError
from tests.helpers.jobs import ROOT
from tests.helpers.local_ray import local_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", autouse=True)
def two_cores() -> Iterator[None]:
    with local_ray():
        yield


@pytest.fixture
def on_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr(cluster, "STARTING_S", 1.0)


def test_a_cluster_that_its_launcher_can_grow_is_measured_by_its_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as `ray up` leaves it on the head
    launched = tmp_path / "ray_bootstrap_config.yaml"
    launched.write_text((ROOT / "cluster.yaml").read_text())
    monkeypatch.setattr(cluster, "LAUNCHED", launched)
    kinds = yaml.safe_load(launched.read_text())["available_node_types"].values()

    cpus, gpus = cluster.capacity()

    assert gpus == sum(k["max_workers"] * k["resources"].get("GPU", 0) for k in kinds)
    assert cpus == sum(k["max_workers"] * k["resources"].get("CPU", 0) for k in kinds)


@pytest.mark.usefixtures("on_a_cluster")
def test_what_a_cluster_will_never_have_is_refused_after_its_nodes_had_time_to_start() -> None:
    with pytest.raises(InputError, match="has, and ever will have, 2 and 0"):
        cluster.check_fits(1, 1, "workers")


@pytest.mark.usefixtures("on_a_cluster")
def test_on_kubernetes_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.ON_KUBERNETES, "1")

    cluster.check_fits(1, 100, "workers")


@pytest.mark.parametrize(
    ("count", "least", "most", "elastic"), [(4, 4, 4, False), ("2..8", 2, 8, True)]
)
def test_a_group_of_workers_has_a_number_or_a_range(
    count: int | str, least: int, most: int, *, elastic: bool
) -> None:
    workers = WorkersConfig(count=count)

    assert (workers.least, workers.most, workers.is_elastic) == (least, most, elastic)


@pytest.mark.parametrize("count", [0, "8..2", "0..2", "many", "2-8"])
def test_another_count_is_refused(count: int | str) -> None:
    with pytest.raises(ValueError, match=r"as 4, or a range of them, as 2\.\.8"):
        WorkersConfig(count=count)
