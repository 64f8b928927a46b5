import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import Result

from lib.batches import to_parquet
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.inference.classifier import Classifier
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import read_bundle
from tests.helpers import catalogs, crash
from tests.helpers.jobs import ROOT, finish, run_job, start

PICTURES = catalogs.pictures(6)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    catalogs.write_catalog(str(folder / "images"), PICTURES)
    catalogs.make_bundle(str(folder / "bundle"))
    return folder


def test_an_image_is_what_a_night_says_that_it_is(shop: Path) -> None:
    images = [str(shop / "images" / name) for name in PICTURES]

    result = run_job("predict", *images, "--bundle", str(shop / "bundle"), "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["images"]
    night = crash.classifier_of(str(shop / "bundle"))
    rows = night.classify(catalogs.read_items(str(shop / "images" / "manifest.csv")))[0]
    assert [each["uri"] for each in found] == images
    for each, row in zip(found, rows.sort_by("item_id").to_pylist(), strict=True):
        for column in ("category_id", "category_path", "decision"):
            assert each[column] == row[column]
        assert each["confidence"] == pytest.approx(row["confidence"], abs=0.02)
        assert [leaf["category_id"] for leaf in each["top_k"]] == [
            leaf["category_id"] for leaf in row["top_k"]
        ]


def test_the_likeliest_categories_stand_below_each_other_the_largest_first(shop: Path) -> None:
    image = str(shop / "images" / "000.jpg")

    result = run_job("predict", image, "--bundle", str(shop / "bundle"), "--top", "3")

    said, *leaves = result.stdout.splitlines()
    assert said.startswith(f"{image}: ")
    shares = [float(line.split("%")[0]) for line in leaves]
    assert leaves[-1].endswith("2 others")
    assert len(leaves) == 4
    assert shares[:3] == sorted(shares[:3], reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.3)


def test_what_is_no_image_is_one_sentence_and_the_others_are_classified(shop: Path) -> None:
    (shop / "note.jpg").write_text("no image")
    images = [str(shop / name) for name in ("note.jpg", "images/000.jpg", "none.jpg")]

    result = run_job("predict", *images, "--bundle", str(shop / "bundle"))

    assert result.exit_code == InputError.exit_code
    assert result.stdout.startswith(f"{images[1]}: ")
    assert result.stderr == (
        f"error: {images[0]}: the bytes are text, not an image; and 1 more image cannot be "
        "classified\n"
    )


def test_what_is_not_there_is_named_once(shop: Path) -> None:
    image = str(shop / "none.jpg")

    result = run_job("predict", image, "--bundle", str(shop / "bundle"))

    assert (result.exit_code, result.stdout) == (InputError.exit_code, "")
    assert result.stderr == f"error: {image} is not there\n"


@pytest.mark.processes
def test_it_takes_a_process_without_ray(shop: Path) -> None:
    image = str(shop / "images" / "000.jpg")
    asked = {"RAY_ADDRESS": "127.0.0.1:1"}  # where no cluster answers
    process = start("jobs.predict", image, "--bundle", str(shop / "bundle"), environment=asked)

    code, said, errors = finish(process)

    assert (code, errors) == (0, "")
    assert said.startswith(f"{image}: ")


@pytest.mark.processes
def test_an_image_waits_for_no_library_that_it_does_not_need(shop: Path, tmp_path: Path) -> None:
    image = str(shop / "images" / "000.jpg")
    bundle = catalogs.make_bundle(str(tmp_path), converted=True).uri
    program = (
        "import sys; from lib.inference.classifier import Classifier; "
        f"Classifier.load({bundle!r}).predict([{image!r}]); "
        "print({'torch', 'pandas', 'duckdb', 'rich'} & {*sys.modules})"
    )

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (said.stdout.strip(), said.returncode) == ("set()", 0), said.stderr


@pytest.fixture(scope="module")
def labelled(shop: Path) -> Path:
    """A table of the shop's pictures, labelled by the bundle, and their embeddings."""
    items = catalogs.read_items(str(shop / "images" / "manifest.csv"))
    done = crash.classifier_of(str(shop / "bundle")).embed(items)
    part = str(shop / "part.parquet")
    catalogs.LOCAL.write(part, to_parquet(done.rows))
    table = LabelsTable(str(shop / "labels"), catalogs.LOCAL)
    table.publish(Change(run_id="night", base=None, parts=[part], removed=None))
    digest = read_bundle(str(shop / "bundle"), catalogs.LOCAL).backbone_digest
    EmbeddingStore(str(shop / "kept"), digest, catalogs.LOCAL).append("night", [done.embeddings])
    return shop


def ask_nearest(shop: Path, table: str, kept: str, *options: str) -> Result:
    image, bundle = str(shop / "images" / "003.jpg"), str(shop / "bundle")
    places = ("--labels-table", str(shop / table), "--embeddings", str(shop / kept))
    return run_job("predict", image, "--bundle", bundle, *places, *options)


def test_the_nearest_labelled_item_of_a_picture_is_the_one_that_has_it(labelled: Path) -> None:
    result = ask_nearest(labelled, "labels", "kept", "--json")

    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["images"]
    first, *others = found["nearest"]
    assert first["item_id"] == "003.jpg"  # whose label is not for review
    assert first["similarity"] == pytest.approx(1, abs=1e-3)
    assert others[0]["similarity"] < first["similarity"]


@pytest.mark.parametrize(
    ("table", "kept", "said"),
    [
        ("none", "kept", "none: there is no labels table here"),
        ("labels", "none", "`reshelve embed RUN.yaml` makes them"),
    ],
)
def test_without_a_table_or_embeddings_of_this_backbone_one_sentence_says_so(
    labelled: Path, table: str, kept: str, said: str
) -> None:
    result = ask_nearest(labelled, table, kept)

    assert (result.exit_code, result.stdout) == (InputError.exit_code, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_in_python_an_image_is_named_from_the_folder_in_which_one_is(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)

    (found,) = Classifier.load("bundle").predict(["images/000.jpg"])

    assert found.error is None
    assert sum(leaf.probability for leaf in found.leaves) == pytest.approx(1)
