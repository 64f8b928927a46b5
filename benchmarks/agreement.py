"""How often the default engine and a float32 reference give real photos the same label."""

from pathlib import Path

import yaml
from pyarrow import parquet

from benchmarks.contenders import run

SETTINGS = {
    "model.architecture": "resnet18",
    "training.head_epochs": 1,
    "training.epochs": 3,
    "workers": {"count": 2, "cpus": 1},
}
LIMIT_S = 300


def measure_agreement(
    photos: Path, weights: Path, taxonomy: Path, folder: Path
) -> dict[str, float]:
    """Fine-tune a bundle, and classify its test photos twice."""
    train = folder / "train.yaml"
    preprocessing = {
        "size_px": 96,
        "fit": "pad",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    described = {
        "output": str(folder / "runs"),
        "run_id": "train",
        "taxonomy": str(taxonomy),
        "catalog": {"uri": str(photos / "train"), "labels": "folder"},
        "validation": {"uri": str(photos / "validation"), "labels": "folder"},
        "model": {"weights": str(weights), "preprocessing": preprocessing},
        "training": {"head_epochs": 1, "epochs": 3},
    }
    train.write_text(yaml.safe_dump(described))
    run(["jobs.train", str(train)], {}, LIMIT_S)
    found = {}
    for name, engine in {
        "default": {},
        "reference": {"runtime": "torch", "precision": "fp32"},
    }.items():
        run_file = folder / f"{name}.yaml"
        described = {
            "output": str(folder / "runs"),
            "run_id": name,
            "catalog": {"uri": str(photos / "test"), "labels": "folder"},
            "bundle": str(folder / "runs" / "train" / "bundle"),
            "labels_table": str(folder / "labels"),
            "embeddings": str(folder / "embeddings"),
            "engine": engine,
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
    """Give the share of places where two lists are equal."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
