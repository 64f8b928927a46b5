import contextlib
import json
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import pyarrow as pa
import pytest
import safetensors.torch
import torch
import yaml
from pyarrow import parquet
from ray.train.v2.api.exceptions import WorkerGroupError

from lib.cluster.train_workers import sentence_of
from lib.heads.recipes import HeadRecipe
from lib.images.config import ReadingConfig
from lib.images.preparer import StuckError
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.labels.annotations_table import AnnotationsTable
from lib.models.bundle import read_bundle
from lib.models.classifier import build_classifier
from lib.models.pretrained import read_safetensors
from lib.schemas import ANNOTATIONS_SCHEMA
from tests.helpers import catalogs
from tests.helpers.jobs import (
    descendants,
    finish,
    kill_when,
    run_job,
    start,
    started_with,
    told_by,
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
EPOCHS, ITEMS = 3, 42
LONGEST_S = 250  # of a job that is killed, and of one that goes on: both within a test's time

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


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
        files, labels = draw_labelled(ITEMS)
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
            "strategy": "finetune",
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
        names = [path.stem for path in self.run.glob("finetune/held-out/checkpoints/epoch-*.pt")]
        return max((int(name.removeprefix("epoch-")) for name in names), default=0)

    def rewrite(self, **changes: Any) -> None:  # noqa: ANN401  # as above
        """Change keys of the run file."""
        described = yaml.safe_load(Path(self.run_file).read_text()) | changes
        Path(self.run_file).write_text(yaml.safe_dump(described))

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
    assert bundle.info.head_power == 1
    assert bundle.info.recipe["strategy"] == "finetune"
    assert bundle.info.recipe["epochs"] == EPOCHS
    assert not bundle.info.recipe["frozen_norms"]
    assert bundle.info.metrics["validation_accuracy"] >= 0.8
    assert bundle.info.temperature > 0


def test_the_same_training_again_changes_nothing(trained: tuple[School, str]) -> None:
    before = catalogs.folder_of(trained[0].folder)

    result = run_job("train", trained[0].run_file)

    assert result.exit_code == 0
    assert "has ended before" in result.output
    assert catalogs.folder_of(trained[0].folder) == before


def test_a_scheduler_is_told_on_the_last_line_which_bundle_there_is_and_how_good(
    trained: tuple[School, str],
) -> None:
    school = trained[0]
    bundle = read_bundle(str(school.run / "bundle"), catalogs.LOCAL)

    told = told_by(run_job("train", school.run_file, "--json").stdout)

    assert (told["job"], told["state"], told["exit_code"]) == ("train", "trained", 0)
    assert Path(told["bundle"]) == school.run / "bundle"
    assert told["accuracy"] == bundle.info.metrics["validation_accuracy"]
    assert told["accuracy_items"] == bundle.info.metrics["validation_items"]


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
            with contextlib.suppress(psutil.Error):  # one that has just ended has no command
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


@pytest.mark.timeout(600)
def test_a_killed_training_goes_on_from_its_checkpoint(school: School) -> None:
    epochs = 10
    school.write_run_file(epochs=epochs)
    marker = uuid.uuid4().hex
    environment = {"RAY_ADDRESS": "", "RESHELVE_TEST_MARKER": marker}
    first = start("jobs.train", school.run_file, environment=environment)
    # each start of Ray and torch takes minutes where other tests keep the cores
    kill_when(lambda: school.epochs_done > 0, first, at_most_s=LONGEST_S)
    # all at once, as a power cut does: workers that outlive their driver go on training
    for process in started_with(marker):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not started_with(marker))
    done = school.epochs_done
    assert 0 < done < epochs

    again = start("jobs.train", school.run_file, environment=environment)
    code, stdout, stderr = finish(again, at_most_s=LONGEST_S)

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


class WeightsSchool(School):
    """A school whose network begins with weights: they mean nothing, but are a file's.

    One photo is there under two labels, one category has one photo, and two images are broken.
    """

    def prepare(self, extra: Mapping[str, bytes] = MappingProxyType({})) -> None:
        super().prepare()
        torch.manual_seed(3)
        weights = self.folder / "weights.safetensors"
        backbone = build_classifier(self.architecture, 1, 32).backbone
        weights.write_bytes(safetensors.torch.save(backbone.state_dict()))
        files, labels = draw_labelled(ITEMS)
        photo = catalogs.encode(catalogs.draw(77, (90, 90, 90)), "png")
        files |= {**extra, "x-one.png": photo, "x-other.png": photo}
        files["x-hat.png"] = catalogs.encode(catalogs.draw(78, (240, 230, 20)), "png")
        labels |= dict.fromkeys(extra, "shirt")
        labels |= {"x-one.png": "shirt", "x-other.png": "shoes", "x-hat.png": "hat"}
        catalogs.write_catalog(str(self.folder / "images"), files, labels=labels)
        (self.folder / "taxonomy.yaml").write_text(f"{TAXONOMY_YAML}  - {{id: hat, name: Hats}}\n")
        self.rewrite(
            strategy="head",
            embeddings=str(self.folder / "embeddings"),
            model={
                "architecture": self.architecture,
                "weights": str(weights),
                "preprocessing": catalogs.PREPROCESSING.model_dump(mode="json"),
            },
        )

    @contextlib.contextmanager
    def without_images(self) -> Iterator[None]:
        """Take all images away, and bring them back."""
        images, away = self.folder / "images", self.folder / "away"
        shutil.copytree(images, away)
        for path in images.glob("*.png"):
            path.unlink()
        yield
        shutil.copytree(away, images, dirs_exist_ok=True)
        shutil.rmtree(away)


@pytest.fixture(scope="module")
def headed(
    trained: tuple[School, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[WeightsSchool, str]:
    """A school that has trained a head alone, and what it said; Ray is up."""
    assert trained
    school = WeightsSchool(tmp_path_factory.mktemp("headed"), "resnet18")
    school.prepare(BROKEN)
    result = run_job("train", school.run_file)
    assert result.exit_code == 0, result.output
    return school, result.output


def test_a_head_on_frozen_weights_labels_images_it_has_not_seen(
    headed: tuple[WeightsSchool, str],
) -> None:
    files, labels = draw_labelled(12, first=900)

    found = headed[0].classify(files)
    assert sum(found[name] == label for name, label in labels.items()) >= 10


def test_the_bundle_of_a_head_says_how_it_was_fitted_and_keeps_what_judged_it(
    headed: tuple[WeightsSchool, str],
) -> None:
    folder = headed[0].run / "bundle"
    bundle = read_bundle(str(folder), catalogs.LOCAL)

    assert bundle.info.recipe["strategy"] == "head"
    assert HeadRecipe.model_validate(bundle.info.recipe["head"]).power == bundle.info.head_power
    held_out = parquet.read_table(folder / "held_out.parquet")
    reference = parquet.read_table(folder / "reference.parquet")
    names = {f"{number:03d}.png" for number in range(ITEMS)}
    assert set(held_out["item_id"].to_pylist()) == names
    assert held_out.num_rows == reference.num_rows == ITEMS
    assert bundle.info.metrics["validation_items"] == ITEMS


def test_a_photo_under_two_labels_is_left_out_and_named(
    headed: tuple[WeightsSchool, str],
) -> None:
    report = (headed[0].run / "report.html").read_text()

    for name in ("x-one.png", "x-other.png", *BROKEN):
        assert name in report
    assert "the same photo is labelled" in report


def test_a_category_with_one_photo_trains_and_is_never_held_out(
    headed: tuple[WeightsSchool, str],
) -> None:
    folder = headed[0].run / "bundle"

    assert "hat" in read_bundle(str(folder), catalogs.LOCAL).info.category_ids
    held_out = parquet.read_table(folder / "held_out.parquet")
    assert "x-hat.png" not in held_out["item_id"].to_pylist()
    photo = catalogs.encode(catalogs.draw(79, (240, 230, 20)), "png")
    assert headed[0].classify({"hat.png": photo}) == {"hat.png": "hat"}


def test_where_embeddings_are_kept_a_head_needs_no_image(
    headed: tuple[WeightsSchool, str],
) -> None:
    school, first_output = headed
    assert f"embedding {ITEMS + len(BROKEN) + 3} images" in first_output

    with school.without_images():
        result = run_job("train", school.run_file, "--set", "run_id=two")

    assert result.exit_code == 0, result.output
    one, two = (
        read_safetensors(
            str(school.folder / f"runs/{name}/bundle/model.safetensors"), catalogs.LOCAL
        )
        for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_peoples_answers_take_the_place_of_labels(headed: tuple[WeightsSchool, str]) -> None:
    school, first_output = headed
    assert "two_labels" in first_output
    items = catalogs.read_items(str(school.folder / "images" / "manifest.csv")).to_pylist()
    item = next(each for each in items if each["item_id"] == "x-one.png")
    answer = {name: item[name] for name in ("item_id", "uri", "etag")}
    answer |= {"annotation_id": "1", "answer": "category", "category_id": "shoes", "by": "ann"}
    answer |= {"taxonomy_version": "7", "at": datetime.now(UTC)}
    table = AnnotationsTable(str(school.folder / "answers"), catalogs.LOCAL)
    table.append(pa.Table.from_pylist([answer], schema=ANNOTATIONS_SCHEMA))

    given = f"annotations={school.folder}/answers"
    result = run_job("train", school.run_file, "--set", "run_id=taught", "--set", given)

    assert result.exit_code == 0, result.output
    assert "1 answer used: 1 of labelled items, 0 of others" in result.output
    # the photo had two labels, and has one now
    assert "two_labels" not in result.output
    held_out = parquet.read_table(school.folder / "runs/taught/bundle/held_out.parquet")
    labels = {row["item_id"]: row["category_id"] for row in held_out.to_pylist()}
    assert (labels["x-one.png"], labels["x-other.png"]) == ("shoes", "shoes")


def test_without_time_for_fine_tuning_the_head_is_taken_and_it_is_said(
    headed: tuple[WeightsSchool, str],
) -> None:
    school, run = headed[0], headed[0].folder / "runs" / "auto"

    result = run_job(
        "train",
        school.run_file,
        *("--set", "run_id=auto", "--set", "strategy=auto", "--set", "minutes=0.001"),
    )

    assert result.exit_code == 0, result.output
    assert "no fine-tuning: fine-tuning would take" in result.output
    bundle = read_bundle(str(run / "bundle"), catalogs.LOCAL)
    assert bundle.info.recipe["strategy"] == "head"
    assert read_bundle(str(run / "first-bundle"), catalogs.LOCAL).info.recipe == bundle.info.recipe


def test_fine_tuning_from_weights_is_judged_fold_by_fold_and_ends_with_a_model_of_all(
    headed: tuple[WeightsSchool, str],
) -> None:
    school, run = headed[0], headed[0].folder / "runs" / "tuned"

    result = run_job(
        "train",
        school.run_file,
        *("--set", "run_id=tuned", "--set", "strategy=finetune", "--set", "training.epochs=1"),
    )

    assert result.exit_code == 0, result.output
    assert epochs_said(result.output) == [1, 1, 1, 1]
    parts = {path.name for path in (run / "finetune").iterdir()}
    assert parts == {"fold-0", "fold-1", "fold-2", "all"}
    held_out = parquet.read_table(run / "bundle" / "held_out.parquet")
    assert sorted(held_out["item_id"].to_pylist()) == [f"{n:03d}.png" for n in range(ITEMS)]
    items = parquet.read_table(run / "finetune" / "all" / "items-train.parquet")
    assert items.num_rows == ITEMS + 1
    bundle = read_bundle(str(run / "bundle"), catalogs.LOCAL)
    assert bundle.info.recipe["strategy"] == "finetune"
    assert bundle.info.recipe["frozen_norms"]


def test_a_head_on_a_network_without_weights_is_refused(school: School) -> None:
    before = catalogs.folder_of(school.folder)

    result = run_job("train", school.run_file, "--set", "strategy=head")

    assert result.exit_code == 2
    assert "this one has no weights" in result.stderr
    assert catalogs.folder_of(school.folder) == before


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
