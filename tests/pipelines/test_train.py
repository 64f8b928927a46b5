import contextlib
import json
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import pytest
import yaml
from ray.train.v2.api.exceptions import WorkerGroupError

from lib.cluster.train_workers import sentence_of
from lib.images.config import ReadingConfig
from lib.images.preparer import StuckError
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.models.bundle import read_bundle
from tests.helpers import catalogs
from tests.helpers.jobs import (
    descendants,
    finish,
    kill_when,
    run_job,
    start,
    started_with,
    wait_until,
)
from tests.helpers.local_ray import local_ray

COLOURS = {"shirt": (215, 40, 40), "trousers": (40, 190, 60), "shoes": (40, 60, 210)}
TAXONOMY_YAML = """\
version: "7"
categories:
  - id: clothing
    name: Clothing
    children:
      - {id: shirt, name: Shirts}
      - {id: trousers, name: Trousers}
  - {id: shoes, name: Shoes}
"""
BROKEN = {"x-empty.png": b"", "x-page.png": b"<!doctype html><html></html>"}
EPOCHS = 3

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def draw_labelled(count: int, first: int = 0) -> tuple[dict[str, bytes], dict[str, str]]:
    """Draw images on a ground of their category's colour; return files and labels by name."""
    files, labels = {}, {}
    for number in range(first, first + count):
        category = list(COLOURS)[number % len(COLOURS)]
        name = f"{number:03d}.png"
        files[name] = catalogs.encode(catalogs.draw(number, COLOURS[category]), "png")
        labels[name] = category
    return files, labels


class School:
    """A folder with labelled images, a taxonomy and the run file that joins them."""

    def __init__(self, folder: Path, architecture: str = "shufflenet_v2_x0_5") -> None:
        self.folder = folder
        # shuffle net's checkpoints are a hundredth of resnet's, but it learns too slowly for tests
        self.architecture = architecture
        self.run_file = str(folder / "train.yaml")
        self.run = folder / "runs" / "one"

    def prepare(self, extra: Mapping[str, bytes] = MappingProxyType({})) -> None:
        files, labels = draw_labelled(42)
        labels |= dict.fromkeys(extra, "shirt")
        catalogs.write_catalog(str(self.folder / "images"), {**files, **extra}, labels=labels)
        (self.folder / "taxonomy.yaml").write_text(TAXONOMY_YAML)
        self.write_run_file()

    def write_run_file(self, **training: Any) -> None:  # noqa: ANN401  # any value of a run file
        described = {
            "output": str(self.folder / "runs"),
            "run_id": "one",
            "taxonomy": str(self.folder / "taxonomy.yaml"),
            "catalog": {"uri": str(self.folder / "images" / "manifest.csv")},
            "model": {
                "architecture": self.architecture,
                "preprocessing": catalogs.PREPROCESSING.model_dump(mode="json"),
            },
            "training": {
                "epochs": EPOCHS,
                "batch_size": 8,
                "precision": "fp32",
                # else a shirt becomes trousers
                "augmentation": {},
                **training,
            },
            "workers": {"count": 2, "cpus": 0.5},
            "reading": {"threads": 2},
        }
        Path(self.run_file).write_text(yaml.safe_dump(described))

    @property
    def epochs_done(self) -> int:
        names = [path.stem for path in self.run.glob("checkpoints/epoch-*.pt")]
        return max((int(name.removeprefix("epoch-")) for name in names), default=0)

    def classify(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Classify other images with the bundle; return the best leaf of each, by name."""
        folder = self.folder / f"others-{uuid.uuid4().hex}"
        items = catalogs.read_items(catalogs.write_catalog(str(folder), files))
        job = UnitJob(
            run=catalogs.run_at("", run_id="a-test"),
            bundle_uri=str(self.run / "bundle"),
            engine=catalogs.cpu_engine(16),
            reading=ReadingConfig(threads=2),
        )
        rows, _ = UnitClassifier(job).classify(items)
        best = [top[0]["category_id"] for top in rows["top_k"].to_pylist()]
        return dict(zip(rows["item_id"].to_pylist(), best, strict=True))


def epochs_said(text: str) -> list[int]:
    lines = [line for line in text.splitlines() if line.startswith("epoch ")]
    return [int(line.removeprefix("epoch ").partition("/")[0]) for line in lines]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[School, str]]:
    """A school whose training has ended well, and what it said; two images are broken.

    Ray stays up for the tests that follow.
    """
    school = School(tmp_path_factory.mktemp("school"), "resnet18")
    school.prepare(BROKEN)
    with local_ray():
        result = run_job("train", school.run_file)
        assert result.exit_code == 0, result.output
        yield school, result.output


@pytest.fixture
def school(tmp_path: Path) -> School:
    school = School(tmp_path)
    school.prepare()
    return school


def test_a_trained_bundle_labels_images_it_has_not_seen(trained: tuple[School, str]) -> None:
    files, labels = draw_labelled(12, first=900)

    found = trained[0].classify(files)
    # a short training; which images it cannot tell yet depends on the machine
    assert sum(found[name] == label for name, label in labels.items()) >= 10


def test_each_epoch_is_said_once_and_in_order(trained: tuple[School, str]) -> None:
    assert epochs_said(trained[1]) == list(range(1, EPOCHS + 1))


def test_a_broken_training_image_is_left_out_and_named_in_the_report(
    trained: tuple[School, str],
) -> None:
    report = (trained[0].run / "report.html").read_text()

    for name, reason in zip(BROKEN, ("empty", "not_an_image"), strict=True):
        assert name in report
        assert reason in report


def test_the_bundle_is_the_taxonomy_s_and_says_how_good_it_is(
    trained: tuple[School, str],
) -> None:
    bundle = read_bundle(str(trained[0].run / "bundle"), catalogs.LOCAL)

    assert set(bundle.info.category_ids) == set(COLOURS)
    assert bundle.info.preprocessing == catalogs.PREPROCESSING
    assert bundle.info.metrics["validation_accuracy"] >= 0.8
    assert bundle.info.temperature > 0


def test_the_same_training_again_changes_nothing(trained: tuple[School, str]) -> None:
    before = catalogs.folder_of(trained[0].folder)

    result = run_job("train", trained[0].run_file)

    assert result.exit_code == 0
    assert "has ended before" in result.output
    assert catalogs.folder_of(trained[0].folder) == before


def test_other_settings_under_the_same_run_id_are_refused_by_name(
    trained: tuple[School, str],
) -> None:
    result = run_job("train", trained[0].run_file, "--set", "training.epochs=9")

    assert result.exit_code == 2
    assert "recipe was" in result.stderr


@pytest.mark.usefixtures("trained")
def test_a_killed_worker_process_is_survived(school: School) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        wait_until(lambda: school.epochs_done > 0)
        for process in descendants(psutil.Process().pid):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                process.kill()
                killed.append(school.epochs_done)
                return

    killer = threading.Thread(target=kill_one)
    killer.start()
    result = run_job("train", school.run_file, "--set", "training.epochs=8")
    killer.join()

    assert result.exit_code == 0, result.output
    assert killed
    assert killed[0] < 8
    # an epoch whose worker was killed before it was said is not said; none is said twice
    said = epochs_said(result.output)
    assert said == sorted(set(said))
    assert said[-1] == 8
    assert read_bundle(str(school.run / "bundle"), catalogs.LOCAL).info.run_id == "one"


@pytest.mark.timeout(300)
def test_a_killed_training_goes_on_from_its_checkpoint(school: School) -> None:
    epochs = 20
    school.write_run_file(epochs=epochs)
    marker = uuid.uuid4().hex
    environment = {"RAY_ADDRESS": "", "RESHELVE_TEST_MARKER": marker}
    first = start("jobs.train", school.run_file, environment=environment)
    kill_when(lambda: school.epochs_done > 0, first)
    # all at once, as a power cut does: workers that outlive their driver go on training
    for process in started_with(marker):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not started_with(marker))
    done = school.epochs_done
    assert 0 < done < epochs

    code, stdout, stderr = finish(start("jobs.train", school.run_file, environment=environment))

    assert code == 0, stderr
    assert "resumed" in stdout
    assert epochs_said(stdout) == list(range(done + 1, epochs + 1))
    assert json.loads((school.run / "outcome.json").read_text())["state"] == "trained"
    assert (school.run / "bundle" / "bundle.json").exists()
    wait_until(lambda: not started_with(marker))


def test_a_category_without_a_labelled_item_is_refused_before_anything_is_written(
    school: School,
) -> None:
    taxonomy = school.folder / "taxonomy.yaml"
    taxonomy.write_text(taxonomy.read_text() + "  - {id: hats, name: Hats}\n")
    before = catalogs.folder_of(school.folder)

    result = run_job("train", school.run_file)

    assert result.exit_code == 2
    assert "'hats'" in result.stderr
    assert catalogs.folder_of(school.folder) == before


@pytest.mark.usefixtures("trained")
def test_a_category_whose_images_are_all_broken_is_refused(school: School) -> None:
    shutil.rmtree(school.folder / "images")
    files, labels = draw_labelled(12)
    files |= {name: b"" for name, category in labels.items() if category == "shoes"}
    catalogs.write_catalog(str(school.folder / "images"), files, labels=labels)

    result = run_job("train", school.run_file)

    assert result.exit_code == 2
    assert "'shoes'" in result.stderr
    assert not (school.run / "outcome.json").exists()


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("expected 1, got 0"), "ValueError: expected 1, got 0"),
        (StuckError("s3://shop/a.jpg", 3), "s3://shop/a.jpg: decoding takes longer than 3 s; "),
    ],
)
def test_what_a_worker_raises_is_said_with_its_kind_unless_it_is_a_sentence_of_ours(
    raised: Exception, said: str
) -> None:
    error = WorkerGroupError("with its traceback", {1: raised})

    said_of = sentence_of(error)  # type: ignore[arg-type]  # the checker sees an older class
    assert said_of.startswith(f"the training failed: {said}")
