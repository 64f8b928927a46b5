from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from lib.hashing import digest_bytes
from lib.images.config import ReadingConfig
from lib.images.preparer import Preparer
from lib.images.resize import normalise
from lib.models.classifier import Classifier, build_classifier
from lib.models.int8 import CLOSE
from lib.models.openvino_runtime import FILES
from lib.models.pretrained import parameters_of
from lib.runs import files
from lib.storage.config import StorageConfig
from lib.training.checkpoint import write_best
from lib.training.config import TrainingConfig
from lib.training.dataset import load_pixels
from lib.training.quantize import Compiled, compile_backbone
from lib.training.trainer import TrainingJob
from tests.helpers import catalogs

pytestmark = pytest.mark.networks

ITEMS = 120
COLOURS = ((200, 30, 30), (30, 160, 30), (30, 30, 200), (235, 235, 235), (10, 10, 10))


def draw_labelled(folder: Path, count: int) -> pa.Table:
    """Pictures whose ground has the colour of their category."""
    files, labels = {}, {}
    for number in range(count):
        name = f"{number:03d}.png"
        files[name] = catalogs.encode(catalogs.draw(number, COLOURS[number % 5]), "png")
        labels[name] = catalogs.TAXONOMY.leaves[number % 5]
    return catalogs.read_items(catalogs.write_catalog(str(folder), files, labels=labels))


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return draw_labelled(tmp_path_factory.mktemp("images"), ITEMS)


@pytest.fixture(scope="module")
def classifier(items: pa.Table) -> Classifier:
    """A network whose backbone is untrained, and whose head tells the colours apart."""
    torch.manual_seed(7)
    size_px, leaves = catalogs.PREPROCESSING.size_px, catalogs.TAXONOMY.leaves
    model = build_classifier("resnet18", len(leaves), size_px).eval()
    preparer = Preparer(catalogs.PREPROCESSING, ReadingConfig(threads=4), StorageConfig())
    found = load_pixels(items, leaves, size_px, preparer)
    with torch.no_grad():
        embeddings = model.backbone(
            normalise(found.pixels, catalogs.PREPROCESSING, torch.float32)
        ).double()
        wanted = 10 * torch.eye(len(leaves), dtype=torch.float64)[found.targets]
        bias = embeddings.mean(dim=0)
        weight = torch.linalg.lstsq(embeddings - bias, wanted - wanted.mean(dim=0)).solution.T
        model.head.weight.copy_(weight)
        model.head.bias.copy_(wanted.mean(dim=0) - weight @ bias)
    return model


Missing = Callable[[pa.Table, str], pa.Table]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Missing]:
    """Take an optional library away, and hold the test to a line that says so."""
    taken: list[str] = []

    def take(items: pa.Table, library: str) -> pa.Table:
        taken.append(library)
        monkeypatch.setattr(
            "lib.training.quantize.is_installed", lambda name="openvino": name != library
        )
        return items

    yield take
    (said,) = [each.message for each in caplog.get_records("call")]
    assert f"{taken[0]} is not installed: the bundle has no" in said


def compiled(folder: Path, classifier: Classifier, items: pa.Table) -> Compiled:
    run = catalogs.run_at(folder)
    write_best(run, parameters_of(classifier))
    run.write_table(files.TRAIN_ITEMS, items.slice(0, 40))
    run.write_table(files.VALIDATION_ITEMS, items)
    job = TrainingJob(
        run=run,
        architecture="resnet18",
        category_ids=catalogs.TAXONOMY.leaves,
        preprocessing=catalogs.PREPROCESSING,
        recipe=TrainingConfig(),
        reading=ReadingConfig(threads=4),
    )
    return compile_backbone(job, temperature=1.0)


@pytest.fixture(scope="module")
def found(
    classifier: Classifier, items: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> Compiled:
    return compiled(tmp_path_factory.mktemp("first"), classifier, items)


def test_int8_that_keeps_the_labels_goes_into_the_bundle_with_what_was_measured(
    found: Compiled,
) -> None:
    assert found.int8 is not None
    assert found.int8.items == ITEMS
    assert found.int8.margin >= CLOSE
    assert found.int8.agreement >= 0.995
    assert found.int8.reference_accuracy > 0.9
    assert abs(found.int8.accuracy - found.int8.reference_accuracy) <= 0.003
    assert list(found.files) == [*FILES["fp32"], *FILES["int8"]]
    # a byte a weight against a float16
    assert len(found.files["int8.bin"]) < 0.6 * len(found.files["openvino.bin"])


def test_int8_that_changes_labels_stays_out(items: pa.Table, tmp_path: Path) -> None:
    torch.manual_seed(7)
    # a head that knows nothing: each call is close
    untrained = build_classifier("resnet18", 5, catalogs.PREPROCESSING.size_px).eval()

    found = compiled(tmp_path, untrained, items)

    assert found.int8 is None
    assert list(found.files) == [*FILES["fp32"]]


def test_the_same_training_gives_the_same_bytes(
    found: Compiled, classifier: Classifier, items: pa.Table, tmp_path: Path
) -> None:
    again = compiled(tmp_path, classifier, items)

    assert again.int8 == found.int8
    assert {name: digest_bytes(data) for name, data in again.files.items()} == {
        name: digest_bytes(data) for name, data in found.files.items()
    }


def test_too_few_held_out_items_judge_no_int8(
    classifier: Classifier, items: pa.Table, tmp_path: Path
) -> None:
    found = compiled(tmp_path, classifier, items.slice(0, 99))

    assert found.int8 is None
    assert list(found.files) == [*FILES["fp32"]]


def test_without_openvino_a_bundle_is_whole_and_a_line_says_what_it_lacks(
    classifier: Classifier, items: pa.Table, tmp_path: Path, missing: Missing
) -> None:
    assert compiled(tmp_path, classifier, missing(items, "openvino")) == Compiled(files={})


def test_without_nncf_a_bundle_has_no_int8_and_a_line_says_so(
    classifier: Classifier, items: pa.Table, tmp_path: Path, missing: Missing
) -> None:
    found = compiled(tmp_path, classifier, missing(items, "nncf"))

    assert (list(found.files), found.int8) == ([*FILES["fp32"]], None)
