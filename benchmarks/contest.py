# ruff: noqa: T201  # they speak to a person
"""All contenders, in turns, on the same images with the same weights."""

import os
import statistics
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.contenders import FailedError, Measured, run_peer, run_reshelve
from benchmarks.models import Model
from benchmarks.photos import Place

BATCH = 64
OURS: Mapping[str, Mapping[str, Any]] = {"reshelve": {}, "no embeddings": {"embeddings": None}}
LIBRARIES = ("ray_data", "daft_images")
PLAIN, TUNED = "dataloader", "tuned_script"
TURN_LIMIT_S = 150.0


class Contest:
    """One model, images from one place."""

    def __init__(
        self, model: Model, place: Place, folder: Path, end: float, runtime: str = "eager"
    ) -> None:
        """Keep what all contenders get.

        Args:
            model: that all classify with.
            place: where the images lie.
            folder: takes all that is written.
            end: when all turns must have ended, by `time.monotonic`.
            runtime: of the tuned script.
        """
        self.model, self.place = model, place
        self.title = f"{model.architecture}, {place.name}"
        self._end, self._runtime = end, runtime
        self._folder = folder / f"{model.architecture}-{place.name}"
        self._folder.mkdir()
        self.found: dict[str, list[Measured]] = {}
        self.failures: dict[str, str] = {}

    def turn(self, name: str, items: int) -> None:
        """Let one contender run once; that it failed is said, and kept where it has no result."""
        limit_s = min(self._end - time.monotonic(), TURN_LIMIT_S)
        store = self.place.store
        before_s = store.cpu_s() if store else 0.0
        try:
            measured = self._run(name, self.place.manifest(items), limit_s)
        except FailedError as error:
            self.failures[name] = str(error)
            print(f"{self.title}, {name}: {error}", flush=True)
            return
        taken_s = store.cpu_s() - before_s if store else 0.0
        measured = replace(measured, store_cpu_s=round(taken_s, 1))
        self.found.setdefault(name, []).append(measured)
        print(f"{self.title}, {name}: {measured}", flush=True)

    def _run(self, name: str, manifest: str, limit_s: float) -> Measured:
        turn = uuid.uuid4().hex[:8]
        if name in OURS:
            runs = self._folder / "runs"
            run_file = self._run_file(manifest, runs, OURS[name])
            return run_reshelve(run_file, f"turn-{turn}", runs, limit_s)
        options = {
            "manifest": manifest,
            "architecture": self.model.architecture,
            "weights": self.model.weights,
            "batch-size": str(BATCH),
            **({"runtime": self._runtime} if name == TUNED else {}),
        }
        return run_peer(name, options, self._folder / f"{name}-{turn}", limit_s)

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
                "core_ms": _per_image_ms(each.cpu_s / each.images for each in runs),
                "store_ms": _per_image_ms(each.store_cpu_s / each.images for each in runs),
            }
            for name, runs in self.found.items()
        }


def _per_image_ms(seconds: Iterable[float]) -> float:
    return round(1000 * statistics.median(seconds), 2)


def print_table(title: str, table: Mapping[str, Mapping[str, float]], store: str = "") -> None:
    """Print one contest.

    Args:
        title: of it.
        table: its rows by contender.
        store: the name of a store whose share of the same cores is known.
    """
    cores = os.cpu_count() or 1
    print(f"\n{title}")
    print(
        f"{'':>14}{'images/s':>10}{'a core':>8}{'job s':>8}{'first s':>9}{'GiB':>6}{'core ms':>9}"
        f"{'store ms' if store else '':>10}"
    )
    for name, row in sorted(table.items(), key=lambda each: -each[1]["steady"]):
        print(
            f"{name:>14}{row['steady']:>10.1f}{row['steady'] / cores:>8.1f}{row['whole_s']:>8.1f}"
            f"{row['first_s']:>9.1f}{row['peak_memory_gib']:>6.2f}{row['core_ms']:>9.2f}"
            + (f"{row['store_ms']:>10.2f}" if store else "")
        )
    ours = table.get("reshelve")
    if store and ours:
        share = ours["store_ms"] / (ours["store_ms"] + ours["core_ms"])
        print(
            f"  {store} takes {share:.0%} of all that Reshelve's images cost, and is the slower "
            "part for whoever is fast; the rows from disk say what each does by itself"
        )
