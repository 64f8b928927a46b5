"""Small inputs that others have failed on, through the command: each costs its own row, if any."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from deltalake import DeltaTable

from lib.errors import InputError
from tests.helpers import catalogs
from tests.helpers.jobs import run_job

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

# the one picture that may also be refused: 64 megapixels in 38 bytes
LARGEST = "webp-8000-lossless.webp"
SUFFIXES = ("jpg", "png", "gif", "bmp", "webp")


@pytest.fixture
def inputs(shared: Path, tmp_path: Path) -> Path:
    """A copy of the inputs, with what no repository can hold: a link to itself, and a FIFO."""
    folder = shutil.copytree(shared / "data" / "failing", tmp_path / "inputs")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(folder / "a-fifo")
    return folder


def classify(folder: Path, catalog: Path) -> dict[str, str | None]:
    """Classify a catalog; return each item's error, as the table has it."""
    bundle = catalogs.make_bundle(str(folder / "bundle"), architecture="squeezenet1_1")
    described = {
        "output": str(folder / "runs"),
        "catalog": {"uri": str(catalog)},
        "bundle": bundle.uri,
        "labels_table": str(folder / "labels"),
        "engine": {"device": "cpu", "precision": "fp32", "actors": 1},
        "reading": {"stores": ["/"]},
        "gates": {"max_error_rate": 1},
    }
    run_file = folder / "run.yaml"
    run_file.write_text(yaml.safe_dump(described))
    result = run_job("classify", str(run_file))
    assert result.exit_code == 0, result.output
    rows = DeltaTable(folder / "labels").to_pyarrow_table(columns=["item_id", "error"])
    return dict(zip(rows["item_id"].to_pylist(), rows["error"].to_pylist(), strict=True))


def test_every_picture_that_is_whole_gets_a_label(inputs: Path, tmp_path: Path) -> None:
    errors = classify(tmp_path, inputs)

    pictures = {path.name for suffix in SUFFIXES for path in inputs.glob(f"*.{suffix}")}
    assert errors.keys() == pictures
    assert errors.pop("loop.jpg") == "fetch_failed"
    assert errors.pop(LARGEST) in (None, "too_large")
    assert set(errors.values()) == {None}


@pytest.mark.parametrize("culprit", ["nul", "loop", "fifo"])
def test_a_uri_that_is_no_file_is_one_error_row(inputs: Path, tmp_path: Path, culprit: str) -> None:
    errors = classify(tmp_path, inputs / f"{culprit}.csv")

    assert errors == {"ok": None, culprit: "fetch_failed"}


@pytest.mark.parametrize("name", ["laughs.yaml", "deep2000.yaml"])
def test_yaml_without_end_is_one_sentence(inputs: Path, name: str) -> None:
    result = run_job("classify", str(inputs / name))

    assert result.exit_code == InputError.exit_code
    assert result.stderr.startswith(f"error: {inputs / name}, line ")
    assert result.stderr.count("\n") == 1
