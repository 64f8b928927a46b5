"""The page on reading the labels: each of its programs runs, where its library is installed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lib.batches import to_parquet
from lib.embeddings.store import EmbeddingStore, to_table
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from tests.helpers import catalogs

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def publish(folder: Path, run_id: str, item_ids: list[str]) -> None:
    part = str(folder / f"{run_id}.parquet")
    catalogs.LOCAL.write(part, to_parquet(catalogs.label_rows(item_ids, run_id)))
    table = LabelsTable(str(folder / "labels"), catalogs.LOCAL)
    table.publish(Change(run_id=run_id, base=table.version(), parts=[part], removed=None))


def make_shelf(folder: Path) -> None:
    """Make a bundle, an image, and embeddings of the items of the table."""
    bundle = catalogs.make_bundle(str(folder / "runs" / "train" / "bundle"))
    (folder / "photo.jpg").write_bytes(catalogs.encode(catalogs.draw(1), "jpg"))
    items = catalogs.label_rows(["a", "b"])
    store = EmbeddingStore(str(folder / "embeddings"), bundle.backbone_digest, catalogs.LOCAL)
    store.append("run", [to_table(items["uri"], items["etag"], np.ones((2, 512), np.float16))])


@pytest.mark.processes
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.split()[1])
def test_a_program_of_the_page_reads_a_labels_table(tmp_path: Path, program: str) -> None:
    for name in re.findall(r"^(?:import|from) (\w+)", program, re.MULTILINE):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    publish(tmp_path, "one", ["a", "b", "c"])
    publish(tmp_path, "two", ["a", "b"])

    if "Classifier" in program:
        make_shelf(tmp_path)

    said = subprocess.run(  # noqa: S603  # our own page's program
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PAGE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr


def test_the_files_of_the_folder_are_not_the_table(tmp_path: Path) -> None:
    for run_id in ("one", "two"):
        publish(tmp_path, run_id, ["a", "b"])

    files = list((tmp_path / "labels").glob("*.parquet"))

    assert LabelsTable(str(tmp_path / "labels"), catalogs.LOCAL).read().num_rows == 2
    assert len(files) > 1
