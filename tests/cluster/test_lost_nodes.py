"""Whole nodes, which share no disk, are lost in the middle of a submitted job."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.runs.run import Run
from lib.training.checkpoint import read_checkpoint, read_trained
from tests.conftest import Bucket, Server
from tests.helpers.far import Catalog, begin, end, role, submit
from tests.helpers.jobs import finish, start, wait_until
from tests.helpers.nodes import Nodes, separate_nodes

PICTURES, UNITS = 900, 113
EPOCHS = 30  # so many that a node is lost in the middle of them
NOTICE_S = 2

pytestmark = [
    pytest.mark.ray,
    pytest.mark.s3,
    pytest.mark.faults,
    pytest.mark.timeout(900),
]


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    return tmp_path / "driver"


@pytest.fixture
def nodes(s3_server: Server, driver: Path) -> Iterator[Nodes]:
    driver.mkdir()
    with separate_nodes(["a", "b"], [driver], role(s3_server, s3_server.secret)) as nodes:
        yield nodes


def here(job: str, run_file: str) -> None:
    """Run a job on this machine alone, undisturbed."""
    alone = start(f"jobs.{job}", run_file, environment={"RAY_ADDRESS": ""})
    code, said, errors = finish(alone, at_most_s=400)
    assert code == 0, said + errors


@pytest.mark.parametrize("how", ["killed", "taken back with notice"])
def test_classification_ends_as_if_no_node_was_lost(
    nodes: Nodes, driver: Path, s3: Bucket, how: str
) -> None:
    catalog = Catalog(s3, driver, PICTURES)
    job = begin(nodes, driver, "classify", catalog.classification("far"))
    shards = f"{catalog.uri}/runs/far/shards"
    wait_until(lambda: len(catalog.storage.names(shards)) > 2, at_most_s=400)
    wait_until(lambda: "b" in nodes.names_with("UnitActor"))

    if how == "taken back with notice":
        nodes.drain("b", NOTICE_S)
        time.sleep(NOTICE_S)
    nodes.kill("b")
    assert len(catalog.storage.names(shards)) < UNITS, "the run had ended before"

    code, said, errors = end(job)
    assert code == 0, said + errors
    here("classify", catalog.classification("near"))
    assert catalog.rows("far").equals(catalog.rows("near"))


def part(catalog: Catalog, name: str) -> Run:
    """The part of a training that has its checkpoints."""
    return Run(name, f"{catalog.uri}/runs/{name}/finetune/held-out", catalog.storage)


def epochs(catalog: Catalog, name: str) -> list[tuple[float, float, float]]:
    """The losses and accuracies of a training, epoch by epoch."""
    found = read_checkpoint(part(catalog, name))
    assert found
    return [(e.train_loss, e.validation_loss, e.validation_accuracy) for e in found[0]]


def test_training_ends_as_if_no_node_was_lost_and_as_on_one_node(
    nodes: Nodes, driver: Path, s3: Bucket
) -> None:
    nodes.add("c")
    catalog = Catalog(s3, driver)
    job = begin(nodes, driver, "train", catalog.training("far", workers=2, epochs=EPOCHS))
    checkpoints = part(catalog, "far").at("checkpoints")
    wait_until(lambda: "epoch-0002.pt" in catalog.storage.names(checkpoints), at_most_s=400)

    nodes.kill(busiest(nodes))

    code, said, errors = end(job)
    assert code == 0, said + errors
    # two workers on one node, whom nobody disturbs
    here("train", catalog.training("near", workers=2, epochs=EPOCHS))
    assert epochs(catalog, "far") == epochs(catalog, "near")
    far, near = (read_trained(part(catalog, name)) for name in ("far", "near"))
    assert all(far[key].equal(near[key]) for key in near)


def busiest(nodes: Nodes) -> str:
    """Name a node that a worker of the training runs on."""
    return nodes.names_with("RayTrainWorker")[-1]


def test_elastic_training_goes_on_with_the_workers_left(
    nodes: Nodes, driver: Path, s3: Bucket
) -> None:
    catalog = Catalog(s3, driver)
    job = begin(nodes, driver, "train", catalog.training("far", workers="1..2", epochs=EPOCHS))
    checkpoints = part(catalog, "far").at("checkpoints")
    wait_until(lambda: "epoch-0002.pt" in catalog.storage.names(checkpoints), at_most_s=400)

    nodes.kill("b")

    code, said, errors = end(job)
    assert code == 0, said + errors
    assert len(epochs(catalog, "far")) == EPOCHS
    assert catalog.storage.exists(f"{catalog.uri}/runs/far/bundle/bundle.json")


def test_a_lost_head_ends_the_command_and_the_next_cluster_goes_on(
    nodes: Nodes, driver: Path, s3: Bucket, s3_server: Server
) -> None:
    catalog = Catalog(s3, driver, PICTURES)
    run_file = catalog.classification("far")
    job = begin(nodes, driver, "classify", run_file)
    shards = f"{catalog.uri}/runs/far/shards"
    wait_until(lambda: len(catalog.storage.names(shards)) > 2, at_most_s=400)
    nodes.kill("head")

    code, _, errors = end(job)
    assert code == 1
    assert "the cluster no longer answers" in errors
    with separate_nodes(["a"], [driver], role(s3_server, s3_server.secret)) as others:
        code, said, errors = submit(others, driver, "classify", run_file)
    assert code == 0, said + errors
    assert "resumed" in said
