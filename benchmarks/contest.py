# ruff: noqa: T201  # they speak to a person
"""All contenders, in turns, on the same images with the same weights."""

import os
import statistics
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.contenders import Measured, run_peer, run_reshelve
from benchmarks.models import Model
from benchmarks.photos import Place

BATCH = 64
OURS: Mapping[str, Mapping[str, Any]] = {"reshelve": {}, "no embeddings": {"embeddings": None}}
PEERS = ("ray_data", "daft_images", "dataloader")


class Contest:
    """One model, images from one place."""

    def __init__(self, model: Model, place: Place, folder: Path, deadline: float) -> None:
        """Keep what all contenders get; after the deadline none begins."""
        self.model, self.place, self._deadline = model, place, deadline
        self.title = f"{model.architecture}, {place.name}"
        self._folder = folder / f"{model.architecture}-{place.name}"
        self._folder.mkdir()
        self.found: dict[str, list[Measured]] = {}

    def turn(self, name: str, items: int) -> None:
        """Let one contender run once."""
        left_s = self._deadline - time.monotonic()
        if left_s < 0:
            print(f"{self.title}: out of time before {name}", flush=True)
            return
        manifest = self.place.manifest(items)
        turn = uuid.uuid4().hex[:8]
        if name in OURS:
            runs = self._folder / "runs"
            run_file = self._run_file(manifest, runs, OURS[name])
            measured = run_reshelve(run_file, f"turn-{turn}", runs, left_s + 60)
        else:
            options = {
                "manifest": manifest,
                "architecture": self.model.architecture,
                "weights": self.model.weights,
                "batch-size": str(BATCH),
            }
            measured = run_peer(name, options, self._folder / f"{name}-{turn}", left_s + 60)
        self.found.setdefault(name, []).append(measured)
        print(f"{self.title}, {name}: {measured}", flush=True)

    def _run_file(self, manifest: str, runs: Path, settings: Mapping[str, Any]) -> Path:
        """Write the run file: everything as a user gets it who sets nothing."""
        path = self._folder / f"{uuid.uuid4().hex}.yaml"
        described = {
            "output": str(runs),
            "catalog": {"uri": manifest},
            "bundle": self.model.bundle,
            "labels_table": str(self._folder / "labels"),
            # the store is new to each turn: images are embedded once
            "embeddings": str(self._folder / uuid.uuid4().hex),
            "reading": {"stores": ["s3://", "/"]},
            **settings,
        }
        path.write_text(yaml.safe_dump(described))
        return path

    def summary(self, items: int) -> dict[str, dict[str, float]]:
        """Return each contender's medians; a whole job is scaled to `items`."""
        return {
            name: {
                "steady": round(statistics.median(each.steady for each in runs), 1),
                "whole_s": round(
                    statistics.median(
                        each.seconds + (items - each.images) / each.steady for each in runs
                    ),
                    1,
                ),
                "first_s": statistics.median(each.first_s for each in runs),
                "peak_memory_gib": max(each.peak_memory_gib for each in runs),
                "core_ms": round(
                    statistics.median(1000 * each.cpu_s / each.images for each in runs), 2
                ),
            }
            for name, runs in self.found.items()
        }


def print_table(title: str, table: Mapping[str, Mapping[str, float]]) -> None:
    """Print one contest."""
    cores = os.cpu_count() or 1
    print(f"\n{title}")
    print(
        f"{'':>14}{'images/s':>10}{'a core':>8}{'job s':>8}{'first s':>9}{'GiB':>6}{'core ms':>9}"
    )
    for name, row in sorted(table.items(), key=lambda each: -each[1]["steady"]):
        print(
            f"{name:>14}{row['steady']:>10.1f}{row['steady'] / cores:>8.1f}{row['whole_s']:>8.1f}"
            f"{row['first_s']:>9.1f}{row['peak_memory_gib']:>6.2f}{row['core_ms']:>9.2f}"
        )
