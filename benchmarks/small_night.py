"""How long a small night takes: from the command to the published table."""

import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.contenders import FailedError
from benchmarks.timed import run_timed

ITEMS, CHANGED, NIGHTS = 400, 20, 3


def measure(photos: Sequence[Path], bundle: str, folder: Path, limit_s: float) -> float:
    """Return the median seconds of nights in which 20 photos of a table's 400 have changed.

    Args:
        photos: that the catalog is made of, on local disk as all of it.
        bundle: that classifies.
        folder: takes the catalog, the runs and the table.
        limit_s: of each night.

    Raises:
        FailedError: a night was not published.
    """
    catalog = folder / "catalog"
    catalog.mkdir(parents=True)
    for item in range(ITEMS):
        shutil.copy(photos[item % len(photos)], catalog / f"{item:04d}.jpg")
    described = {
        "output": str(folder / "runs"),
        "catalog": {"uri": str(catalog)},
        "bundle": bundle,
        "labels_table": str(folder / "labels"),
        "embeddings": str(folder / "embeddings"),
    }
    run_file = folder / "night.yaml"
    run_file.write_text(yaml.safe_dump(described))
    taken_s = []
    for night in range(NIGHTS + 1):  # the first makes the table
        for item in range(CHANGED * night, CHANGED * (night + 1)):
            shutil.copy(photos[(item + 1) % len(photos)], catalog / f"{item:04d}.jpg")
        ran = run_timed(["jobs.classify", str(run_file)], limit_s, folder / f"night-{night}.log")
        if ran.failure:
            raise FailedError(f"a night failed: {ran.failure}")
        taken_s.append(ran.seconds)
    return round(statistics.median(taken_s[1:]), 2)
