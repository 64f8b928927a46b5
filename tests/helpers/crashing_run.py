"""Runs whose workers decode as `tests.helpers.crash` does, on Ray or in processes of their own."""

import contextlib
import logging
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import yaml
from deltalake import DeltaTable
from typer.testing import Result

from lib.inference.config import Where
from lib.schemas import LABELS_SCHEMA
from tests.helpers import catalogs, crash
from tests.helpers.jobs import ROOT, run_job

UNIT_SIZE = 8
TIMEOUT_S = 3
SAME = ["item_id", "category_id", "category_path", "confidence", "top_k", "decision"]


@contextlib.contextmanager
def crashing_ray() -> Iterator[None]:
    # as a job starts it: else every pool of actors prints an error about its own arguments
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        runtime_env={
            "worker_process_setup_hook": "tests.helpers.crash.install",
            "env_vars": {"PYTHONPATH": str(ROOT)},
        },
    )
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def crashing_processes(folder: Path) -> Iterator[None]:
    """Let each process of Python that is started meanwhile decode so: each imports this file."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text("from tests.helpers import crash\ncrash.install()\n")
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


class CrashingRun:
    """A run of files in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, bytes],
        where: Where = "auto",
        **reading: Any,  # noqa: ANN401  # any value of a run file
    ) -> None:
        self.folder, self._table = folder, str(folder / "labels")
        self._run_file = folder / "night.yaml"
        described = {
            "output": str(folder / "runs"),
            "run_id": "night",
            "catalog": {"uri": catalogs.write_catalog(str(folder / "images"), files)},
            "bundle": catalogs.make_bundle(str(folder / "bundle")).uri,
            "labels_table": self._table,
            "embeddings": str(folder / "embeddings"),
            "engine": {
                "where": where,
                "device": "cpu",
                "precision": "fp32",
                "actors": 1,
                "cpus_per_actor": 1,
                "batch_size": UNIT_SIZE,
                "unit_size": UNIT_SIZE,
            },
            "reading": {"threads": 4, "timeout_s": TIMEOUT_S, **reading},
            "gates": {"max_error_rate": 0.2},
        }
        self._run_file.write_text(yaml.safe_dump(described))

    def start(self) -> Result:
        """Run the command."""
        with crashing_processes(self.folder / "site"):
            return run_job("classify", str(self._run_file))

    def classify(self) -> pa.Table:
        """Run the command, which must succeed, and return the published rows."""
        result = self.start()
        assert result.exit_code == 0, result.output
        rows: pa.Table = (
            DeltaTable(self._table).to_pyarrow_table(columns=LABELS_SCHEMA.names).sort_by("item_id")
        )
        return rows

    def undisturbed(self, pictures: Mapping[str, bytes], but: Collection[str]) -> list[Any]:
        """Labels of pictures of which none is bad, but of some, made in this process."""
        manifest = catalogs.write_catalog(str(self.folder / "good"), pictures)
        classifier = crash.classifier_of(str(self.folder / "bundle"))
        rows = classifier.classify(catalogs.read_items(manifest))[0].sort_by("item_id")
        return [row for row in rows.select(SAME).to_pylist() if row["item_id"] not in but]

    @property
    def attempts(self) -> dict[int, int]:
        """How often each unit was begun."""
        names = [path.name for path in (self.folder / "runs/night/attempts").glob("unit-*")]
        units = [int(name.split("-")[1]) for name in names]
        return {unit: units.count(unit) for unit in sorted(units)}


def errors_of(rows: pa.Table) -> dict[str, tuple[str, str]]:
    """Error and detail of each row that has one, by item."""
    found = rows.to_pylist()
    return {row["item_id"]: (row["error"], row["error_detail"]) for row in found if row["error"]}


def labels_of(rows: pa.Table) -> list[Any]:
    """What is the same at each run of the rows that have a label."""
    labels: list[Any] = rows.filter(rows["error"].is_null()).select(SAME).to_pylist()
    return labels
