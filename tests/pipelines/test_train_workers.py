"""Where a training's backbone works: processes of this machine, and no Ray but for a cluster."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import safetensors.torch

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.cluster.workers_config import WorkersConfig
from lib.images.config import ReadingConfig
from lib.models.classifier import build_classifier
from lib.models.pretrained import parameters_of
from lib.processes import cores
from lib.training.backbone import BackboneJob, Embedded, embed_items
from pipelines.train_workers import Workers
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT, finish, start, started_with, wait_until
from tests.helpers.labelled_photos import write_photos, write_run_file
from tests.helpers.local_ray import local_ray

HERE = "from lib.processes import serve"  # what a process of this machine is started with

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]


def process_id() -> int:
    return os.getpid()


def has_ray() -> bool:
    return "ray" in sys.modules


def die_once(once: Path) -> int:
    """Kill the process that this runs in, unless the file is there, which it makes."""
    if not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die_once_and_embed(once: Path, job: BackboneJob, items: pa.Table) -> Embedded:
    die_once(once)
    return embed_items(job, items, "fp32", 1)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_photos(tmp_path / "photos", 8)
    write_run_file(tmp_path, strategy="head")
    return tmp_path


@pytest.mark.networks
def test_a_head_is_trained_from_photos_without_ray(shop: Path) -> None:
    program = (
        "import atexit, sys\n"
        "from jobs.command import run\nfrom jobs.train import main\n"
        "atexit.register(lambda: print('ray' in sys.modules))\n"
        "run(main)"
    )
    command = [sys.executable, "-c", program, str(shop / "train.yaml")]

    ended = subprocess.run(  # noqa: S603  # our own program
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert "embedding 40 images" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "False"


@pytest.mark.networks
def test_a_killed_process_is_replaced_and_embeds_its_share_again(shop: Path) -> None:
    items = read_catalog(CatalogConfig(uri=str(shop / "photos")), catalogs.LOCAL)
    leaves, size_px = len(catalogs.TAXONOMY.leaves), catalogs.PREPROCESSING.size_px
    state = parameters_of(build_classifier("squeezenet1_1", leaves, size_px))
    (shop / "state.safetensors").write_bytes(safetensors.torch.save(state))
    job = BackboneJob(
        storage=catalogs.LOCAL,
        state_uri=str(shop / "state.safetensors"),
        kept_uri=str(shop / "network"),
        architecture="squeezenet1_1",
        categories=leaves,
        preprocessing=catalogs.PREPROCESSING,
        reading=ReadingConfig(threads=2),
    )

    with Workers(WorkersConfig(count=1)) as workers:
        (found,) = workers.call([partial(die_once_and_embed, shop / "once", job, items)])

    assert (shop / "once").exists()
    assert found.rows["uri"].to_pylist() == items["uri"].to_pylist()
    assert found.unusable == []


def test_processes_are_kept_from_call_to_call_and_no_more_than_there_are_cores() -> None:
    with Workers(WorkersConfig(count=64)) as workers:
        first = set(workers.call([process_id] * 200))
        then = set(workers.call([process_id] * 200))

    assert os.getpid() not in first
    assert len(first | then) <= cores()


def test_what_calls_find_comes_in_their_order() -> None:
    with Workers(WorkersConfig(count=2)) as workers:
        assert workers.call([partial(abs, -n) for n in range(50)]) == [*range(50)]


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, "1"), (1, "1"), (2, "2")])
def test_a_process_has_the_threads_of_its_cores(cpus: float, threads: str) -> None:
    with Workers(WorkersConfig(count=1, cpus=cpus)) as workers:
        assert workers.call([partial(os.getenv, "OMP_NUM_THREADS")]) == [threads]


@pytest.mark.ray
def test_where_ray_is_joined_the_same_calls_are_made_there() -> None:
    with local_ray(), Workers(WorkersConfig(count=2)) as workers:
        assert workers.call([has_ray, has_ray]) == [True, True]
    with Workers(WorkersConfig(count=2)) as workers:
        assert workers.call([has_ray, has_ray]) == [False, False]


@pytest.mark.networks
def test_ctrl_c_while_photos_are_embedded_ends_all_with_one_sentence(shop: Path) -> None:
    marker = str(shop)
    environment = {"RESHELVE_TEST_MARKER": marker}
    process = start("jobs.train", str(shop / "train.yaml"), environment=environment, own_group=True)
    wait_until(lambda: any(HERE in " ".join(each.cmdline()) for each in started_with(marker)))

    os.killpg(process.pid, signal.SIGINT)

    code, _, stderr = finish(process)
    assert (code, stderr) == (130, "stopped; the same command resumes it\n")
    wait_until(lambda: not started_with(marker), at_most_s=30)
