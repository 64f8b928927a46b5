"""How often the default engine and a float32 reference give real photos the same label."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pyarrow import parquet

from benchmarks.contenders import run

ENGINES: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "reference": {"runtime": "torch", "precision": "fp32"},
}
LIMIT_S = 120


def measure_agreement(photos: Path, bundle: str, folder: Path) -> dict[str, float]:
    """Classify test photos, which nobody trained on, twice."""
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
        run(["jobs.classify", str(run_file), "--no-publish"], {}, LIMIT_S)
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
