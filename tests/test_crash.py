import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
import ray
import yaml
from deltalake import DeltaTable

from tests import catalogs, crash
from tests.local_ray import ROOT, run_job

pytestmark = [pytest.mark.ray, pytest.mark.timeout(280)]

PICTURES = catalogs.pictures(40)
UNIT_SIZE = 8
ERRORS = {
    crash.SEGFAULT: ("decoder_crash", "the process that decodes it dies: SIGSEGV"),
    crash.HANG: ("timeout", "decoding takes longer than 3 s"),
}


@pytest.fixture(scope="module", autouse=True)
def ray_with_crashes() -> Iterator[None]:
    """Start a Ray whose workers decode as `tests.crash` does."""
    # as a job starts it: else every pool of actors prints an error about its own arguments
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        runtime_env={
            "worker_process_setup_hook": "tests.crash.install",
            "env_vars": {"PYTHONPATH": str(ROOT)},
        },
    )
    yield
    ray.shutdown()


def classify(folder: Path, files: Mapping[str, bytes]) -> pa.Table:
    """Classify files in a run of their own and give the published rows."""
    table = str(folder / "labels")
    described = {
        "output": str(folder / "runs"),
        "run_id": "night",
        "catalog": {"uri": catalogs.write_catalog(str(folder / "images"), files)},
        "bundle": catalogs.make_bundle(str(folder / "bundle")).uri,
        "labels_table": table,
        "engine": {
            "device": "cpu",
            "precision": "fp32",
            "actors": 1,
            "cpus_per_actor": 1,
            "batch_size": UNIT_SIZE,
            "unit_size": UNIT_SIZE,
        },
        "reading": {"threads": 4, "timeout_s": 3},
        "gates": {"max_error_rate": 0.2},
    }
    run_file = folder / "night.yaml"
    run_file.write_text(yaml.safe_dump(described))
    result = run_job("classify", str(run_file))
    assert result.exit_code == 0, result.output
    rows: pa.Table = DeltaTable(table).to_pyarrow_table().sort_by("item_id")
    return rows


def undisturbed(folder: Path) -> pa.Table:
    """Rows of the same pictures where none of them is bad, made in this process."""
    manifest = catalogs.write_catalog(str(folder / "good"), PICTURES)
    classifier = crash.classifier_of(str(folder / "bundle"))
    return classifier.classify(catalogs.read_items(manifest))[0].sort_by("item_id")


@pytest.mark.parametrize(
    "culprits",
    [
        pytest.param({"003.jpg": crash.SEGFAULT, "021.jpg": crash.HANG}, id="two units"),
        pytest.param(
            {"015.jpg": crash.HANG, "012.jpg": crash.SEGFAULT},
            id="one unit",
            marks=pytest.mark.faults,
        ),
    ],
)
def test_images_that_kill_or_hang_their_actor_are_error_rows_and_cost_nothing_else(
    culprits: Mapping[str, bytes], tmp_path: Path
) -> None:
    files = {item_id: data + culprits.get(item_id, b"") for item_id, data in PICTURES.items()}

    rows = classify(tmp_path, files)

    assert rows["item_id"].to_pylist() == sorted(PICTURES)
    assert {
        row["item_id"]: (row["error"], row["error_detail"])
        for row in rows.to_pylist()
        if row["error"]
    } == {item_id: ERRORS[mark] for item_id, mark in culprits.items()}
    same = ["item_id", "category_id", "category_path", "confidence", "top_k", "decision"]
    expected = undisturbed(tmp_path).select(same).to_pylist()
    assert rows.filter(rows["error"].is_null()).select(same).to_pylist() == [
        row for row in expected if row["item_id"] not in culprits
    ]
    # one record a unit, and none of the units that were begun again has a second
    attempts = [path.name for path in (tmp_path / "runs/night/attempts").iterdir()]
    assert sorted(attempts) == [f"unit-{unit:07d}" for unit in range(len(files) // UNIT_SIZE)]
