"""How often the default engine and a float32 reference decide the same on real photos."""

import time
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
LIMIT_S = 240.0  # of each
ITEMS = 3_000  # test photos come first
REVIEW = "review"


def measure_agreement(photos: Path, bundle: str, folder: Path, left_s: float) -> dict[str, float]:
    """Classify 3,000 photos twice; accuracy is of the test photos, which nobody trained on.

    `label_agreement` is of the items that either engine accepts, as a leaf or as a category above:
    in how many both accept the same. What goes to review either way may have other suggestions.
    Both engines together may take `left_s` seconds.

    Raises:
        FailedError: one of the two has not ended.
    """
    found: dict[str, list[str]] = {}
    guessed: dict[str, list[str]] = {}
    ends = time.monotonic() + left_s
    for name, engine in ENGINES.items():
        run_file = folder / f"{name}.yaml"
        described = {
            "output": str(folder / "runs"),
            "run_id": name,
            "catalog": {"uri": str(photos), "labels": "folder"},
            "bundle": bundle,
            "labels_table": str(folder / "labels"),
            "embeddings": None,
            "engine": {**engine},
        }
        run_file.write_text(yaml.safe_dump(described))
        command = ["jobs.classify", str(run_file), "--no-publish", "--limit", str(ITEMS)]
        limit_s = min(LIMIT_S, ends - time.monotonic())
        ran = run_timed(command, limit_s, run_file.with_suffix(".log"))
        if ran.failure:
            raise FailedError(ran.failure)
        rows = parquet.read_table(folder / "runs" / name / "labels").sort_by("item_id")
        found[name] = [
            REVIEW if row["decision"] == REVIEW else row["category_id"] for row in rows.to_pylist()
        ]
        guessed[name] = [best[0]["category_id"] for best in rows["top_k"].to_pylist()]
    ids = rows["item_id"].to_pylist()
    truth = [item_id.split("/")[-2] for item_id in ids]
    tested = [place for place, item_id in enumerate(ids) if item_id.startswith("test/")]
    default, reference = found["default"], found["reference"]
    accepted = [n for n in range(len(ids)) if {default[n], reference[n]} != {REVIEW}]
    return {
        "label_agreement": share_equal(default, reference, accepted),
        "accuracy": share_equal(guessed["default"], truth, tested),
        "reference_accuracy": share_equal(guessed["reference"], truth, tested),
        "items": len(ids),
        "accepted": len(accepted),
    }


def share_equal(one: list[str], other: list[str], places: list[int]) -> float:
    """Return the share of some places where two lists are equal."""
    return sum(one[place] == other[place] for place in places) / max(len(places), 1)
