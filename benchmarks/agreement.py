"""How often the default engine and a float32 reference give real photos the same label."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pyarrow import parquet

from benchmarks.contenders import FailedError
from benchmarks.timed import run_timed

ENGINES: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "reference": {"runtime": "torch", "precision": "fp32"},
}
LIMIT_S = 120.0  # of each


def measure_agreement(photos: Path, bundle: str, folder: Path, left_s: float) -> dict[str, float]:
    """Classify test photos, which nobody trained on, twice; both may take so many seconds.

    Raises:
        FailedError: one of the two has not ended.
    """
    found = {}
    for name, engine in ENGINES.items():
        run_file = folder / f"{name}.yaml"
        described = {
            "output": str(folder / "runs"),
            "run_id": name,
            "catalog": {"uri": str(photos / "test"), "labels": "folder"},
            "bundle": bundle,
            "labels_table": str(folder / "labels"),
            "embeddings": None,
            "engine": {**engine},
        }
        run_file.write_text(yaml.safe_dump(described))
        command = ["jobs.classify", str(run_file), "--no-publish"]
        ran = run_timed(command, min(LIMIT_S, left_s / 2), run_file.with_suffix(".log"))
        if ran.failure:
            raise FailedError(ran.failure)
        rows = parquet.read_table(folder / "runs" / name / "labels").sort_by("item_id")
        found[name] = [best[0]["category_id"] for best in rows["top_k"].to_pylist()]
    truth = [item_id.split("/")[0] for item_id in rows["item_id"].to_pylist()]
    return {
        "label_agreement": share_equal(found["default"], found["reference"]),
        "accuracy": share_equal(found["default"], truth),
        "reference_accuracy": share_equal(found["reference"], truth),
        "items": len(truth),
    }


def share_equal(one: list[str], other: list[str]) -> float:
    """Return the share of places where two lists are equal."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
