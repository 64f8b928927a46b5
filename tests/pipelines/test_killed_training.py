import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lib.runs.run import Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.training.checkpoint import read_checkpoint
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.jobs import start, started_with, wait_until
from tests.helpers.proxy import FaultProxy
from tests.pipelines.test_train import TAXONOMY_YAML, draw_labelled, epochs_said

pytestmark = [
    pytest.mark.ray,
    pytest.mark.s3,
    pytest.mark.faults,
    pytest.mark.timeout(900),
]

EPOCHS = 3
LONGEST_S = 300  # of a training


@dataclass(frozen=True)
class Trainings:
    """Trainings on the same images in a bucket, all through one proxy."""

    bucket: Bucket
    folder: Path
    proxy: FaultProxy
    marker: str

    @property
    def storage(self) -> Storage:
        """The store itself, past the proxy."""
        return Storage(StorageConfig())

    def start(self, name: str) -> subprocess.Popen[str]:
        """Start the command."""
        described = {
            "output": f"{self.bucket.uri}/{name}",
            "run_id": "one",
            "taxonomy": str(self.folder / "taxonomy.yaml"),
            "catalog": {"uri": f"{self.bucket.uri}/images/manifest.csv"},
            "model": {
                "architecture": "shufflenet_v2_x0_5",
                "preprocessing": catalogs.PREPROCESSING.model_dump(mode="json"),
            },
            "strategy": "finetune",
            "training": {"epochs": EPOCHS, "batch_size": 8, "precision": "fp32"},
            "workers": {"count": 2, "cpus": 0.5},
            "reading": {"threads": 2},
            "storage": {"endpoint_url": self.proxy.url},
        }
        run_file = self.folder / f"{name}.yaml"
        run_file.write_text(yaml.safe_dump(described))
        environment = {"RAY_ADDRESS": "", "RESHELVE_TEST_MARKER": self.marker}
        return start("jobs.train", str(run_file), environment=environment)

    def finish(self, name: str) -> str:
        """Run the command, or run it again, to its end; return what it said."""
        process = self.start(name)
        with killed_at_last(process):
            stdout, stderr = process.communicate(timeout=LONGEST_S)
        assert process.returncode == 0, stderr
        return stdout

    def kill_at(self, name: str, request: str, *, after: bool) -> None:
        """Kill the driver while the store has not got a request, or not answered it.

        The processes that it leaves go before the request is dropped: they would send it again.
        """
        self.proxy.hold(f"^PUT .*/{name}/{request}", after=after)
        process = self.start(name)
        with killed_at_last(process):
            wait_until(
                lambda: self.proxy.held > 0 or process.poll() is not None, at_most_s=LONGEST_S
            )
            assert process.poll() is None, process.communicate()
        process.communicate()
        wait_until(lambda: not started_with(self.marker), at_most_s=180)
        self.proxy.drop()

    def objects(self, name: str) -> set[str]:
        keys = self.bucket.list_keys()
        return {key.removeprefix(f"{name}/") for key in keys if key.startswith(f"{name}/")}

    def bundle(self, name: str) -> dict[str, bytes]:
        uri = f"{self.bucket.uri}/{name}/one/bundle"
        return {each: self.storage.read(f"{uri}/{each}") for each in self.storage.names(uri)}

    def epochs(self, name: str) -> list[int]:
        """Epochs of the latest checkpoint, which must be whole."""
        run = Run("one", f"{self.bucket.uri}/{name}/one/finetune/held-out", self.storage)
        history, _ = read_checkpoint(run) or ([], {})
        return [each.epoch for each in history]


@contextlib.contextmanager
def killed_at_last(process: subprocess.Popen[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def trainings(s3: Bucket, tmp_path: Path) -> Iterator[Trainings]:
    files, labels = draw_labelled(42)
    catalogs.write_catalog(f"{s3.uri}/images", files, Storage(StorageConfig()), labels=labels)
    (tmp_path / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    marker = uuid.uuid4().hex
    with FaultProxy(s3.server.endpoint) as proxy:
        yield Trainings(s3, tmp_path, proxy, marker)
        wait_until(lambda: not started_with(marker), at_most_s=180)


def test_a_driver_killed_while_a_checkpoint_goes_to_s3_and_run_again_ends_as_if_it_had_not(
    trainings: Trainings,
) -> None:
    trainings.finish("undisturbed")
    for name, after in (("unsent", False), ("unanswered", True)):
        trainings.kill_at(name, "one/finetune/held-out/checkpoints/epoch-0002.pt", after=after)
        done = 1 + after
        assert trainings.epochs(name) == list(range(1, done + 1))

        said = trainings.finish(name)

        assert "resumed" in said
        assert epochs_said(said) == list(range(done + 1, EPOCHS + 1))
        # bit for bit: the model, its calibration, and its figures
        assert trainings.bundle(name) == trainings.bundle("undisturbed")
        assert trainings.objects(name) == trainings.objects("undisturbed")
