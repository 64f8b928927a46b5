"""What a job says that is stopped from the keyboard, or for which Ray does not start."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib.cluster.worker_errors import DIED
from tests.helpers import catalogs
from tests.helpers.jobs import descendants, finish, start

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

PICTURES = catalogs.pictures(20)
LABELS = {name: catalogs.TAXONOMY.leaves[n % 5] for n, name in enumerate(PICTURES)}


@pytest.fixture(scope="module")
def run_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run files of a classification and of a training, which have all that they need."""
    folder = tmp_path_factory.mktemp("shop")
    manifest = catalogs.write_catalog(str(folder / "images"), PICTURES, labels=LABELS)
    catalogs.make_bundle(str(folder / "bundle"))
    (folder / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    shared = f"output: {folder}/runs\ncatalog: {{uri: {manifest}}}\nembeddings: {folder}/kept\n"
    jobs = {
        "classify": f"bundle: {folder}/bundle\nlabels_table: {folder}/labels\n",
        "train": (
            f"taxonomy: {folder}/taxonomy.yaml\nstrategy: finetune\ntraining: {{epochs: 500}}\n"
            "model: {architecture: shufflenet_v2_x0_5, preprocessing: {size_px: 32}}\n"
            "workers: {count: 1}\n"
        ),
    }
    for job, own in jobs.items():
        (folder / f"{job}.yaml").write_text(shared + own)
    return {job: str(folder / f"{job}.yaml") for job in jobs}


def stop_at(line: str, process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C on the terminal of a job once it has said a line."""
    assert process.stdout
    if not any(line in said for said in process.stdout):
        pytest.fail(f"it ended before it said {line!r}: {finish(process)}")
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("job", "line", "options"),
    [
        ("classify", "done before", ["--set", "engine.where=ray"]),
        ("classify", "done before", ["--set", "engine.where=here"]),
        ("train", "epoch 2/", []),
    ],
)
def test_a_job_that_is_stopped_from_the_keyboard_says_one_sentence(
    run_files: dict[str, str], job: str, line: str, options: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's are too long for Ray's sockets
        environment = {"RAY_TMPDIR": folder}
        process = start(
            f"jobs.{job}", run_files[job], *options, environment=environment, own_group=True
        )
        stop_at(line, process)

        code, said, stderr = finish(process)

        assert (code, stderr) == (130, "stopped; the same command resumes it\n"), said
        assert not list(Path(folder).iterdir())


def test_a_training_whose_leading_process_is_killed_says_one_sentence(
    run_files: dict[str, str], tmp_path: Path
) -> None:
    process = start("jobs.train", run_files["train"], "--set", f"output={tmp_path}")
    assert process.stdout
    assert any("epoch 2/" in line for line in process.stdout)
    # Ray names its processes by what they run
    (leading,) = [p for p in descendants(process.pid) if "ray::TrainController" in p.cmdline()[0]]
    leading.kill()

    code, said, stderr = finish(process)

    assert (code, stderr) == (1, f"error: {DIED}\n")
    assert all(line.startswith("epoch ") for line in said.splitlines())


def test_where_ray_does_not_start_a_job_says_why_in_one_line(
    run_files: dict[str, str],
) -> None:
    environment = {"RAY_TMPDIR": "/none", "RAY_ADDRESS": ""}
    on_ray = ["--set", "engine.where=ray"]
    process = start("jobs.classify", run_files["classify"], *on_ray, environment=environment)

    code, _, stderr = finish(process)

    assert code == 1
    assert stderr == (
        "error: Ray does not start on this machine: no folder can be made in /none "
        "(No such file or directory); name another in RAY_TMPDIR\n"
    )
