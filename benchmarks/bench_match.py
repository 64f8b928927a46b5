# ruff: noqa: T201  # they speak to a person
"""What a match takes, what it finds, and how right it is.

    python -m benchmarks.bench_match [--left N] [--right N]

A million made-up titles are matched with 100,000, one in ten of them another shop's writing of one
of these, by the command itself. What its candidates find is held against a comparison of each pair.
On labelled pairs of Abt-Buy and Amazon-Google, where the folder of RESHELVE_SHARED has them in
`data/matching`, weights are learned on the training pairs, the limit is chosen on the validation
pairs, and F1 is of the test pairs; the peers are rapidfuzz's token sets and TF-IDF alone, with a
limit chosen likewise. The last line is one JSON object.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left", type=int, default=1_000_000)
    parser.add_argument("--right", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=300, help="titles held against each of 20,000")
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    arguments()
    needs.tell(needs.data("data/matching", "labelled pairs"))
    needs.check(needs.memory_gib(2))

import numpy as np
import pyarrow as pa
import yaml
from pyarrow import parquet
from rapidfuzz import fuzz, process

from benchmarks.bench_hostile import Watch
from benchmarks.machine import processor
from benchmarks.made_titles import titles, variant
from lib.matching.default_weights import NAMES
from lib.matching.linear import fit, probability
from lib.matching.name_features import NAME_FEATURES, compare_names
from lib.matching.name_index import NameIndex
from lib.matching.name_table import NameTable, read_names
from lib.matching.weights import Weights

SETS = ("abt-buy", "amazon-google")
REVIEW = 0.5  # the default limit, from which on pairs are seen by a person at least

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def make(left: int, right: int) -> tuple[list[str], list[str]]:
    """Return titles of both sides; each tenth of the left is a variant of one of the right."""
    others = list(titles(right, 1))
    dice = random.Random(2)  # noqa: S311  # must repeat
    mine = [
        variant(others[n // 10 % right], dice) if n % 10 == 0 else title
        for n, title in enumerate(titles(left, 3))
    ]
    return mine, others


def time_command(left: int, right: int) -> dict[str, Any]:
    """Run the command on both sides; return its seconds, its memory and what it found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, names in zip(("left", "right"), make(left, right), strict=True):
            ids = [f"{side}-{n:08d}" for n in range(len(names))]
            uris = [f"/nowhere/{each}.jpg" for each in ids]
            table = pa.table({"item_id": ids, "uri": uris, "name": names})
            parquet.write_table(table, folder / f"{side}.parquet")
        described = {
            "output": str(folder / "runs"),
            "run_id": "match",
            "left": {"uri": str(folder / "left.parquet")},
            "right": {"uri": str(folder / "right.parquet")},
            "embeddings": None,
        }
        (folder / "run.yaml").write_text(yaml.safe_dump(described))
        marker = f"{os.getpid()}-{time.monotonic_ns()}"
        began = time.monotonic()
        driver = subprocess.Popen(  # noqa: S603  # our own job
            [sys.executable, "-m", "jobs.match", str(folder / "run.yaml")],
            env={**os.environ, "RESHELVE_BENCH": marker},
        )
        watch = Watch(marker)
        try:
            code = driver.wait()
        finally:
            driver.kill()
            watch.end()
        seconds = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = parquet.read_table(folder / "runs/match/matches.parquet")
        ids = best["right_id"].to_pylist()[::10]
        right_ones = [f"right-{n % right:08d}" for n in range(len(ids))]
        found = np.mean([mine == true for mine, true in zip(ids, right_ones, strict=True)])
    return {
        "match_left": left,
        "match_right": right,
        "match_exit_code": code,
        "match_s": round(seconds, 1),
        "match_cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "match_memory_gib": round(watch.peak_bytes / 2**30, 2),
        "match_variants_found": round(float(found), 4),
    }


def recall(left: int, right: int) -> float:
    """Return which share of the pairs that comparing with each finds is among the candidates."""
    mine, others = make(10 * left, right)
    mine = mine[::10]  # the variants alone: others have no pair
    one, other = read_names(mine), read_names(others)
    weights = Weights.of([other])
    rows, columns = NameIndex(other, weights).nearest(one, 10)
    asked = set((rows * right + columns).tolist())
    every, found = np.arange(right), 0
    missed = 0
    for row in range(left):
        some = one.take(np.full(right, row))
        scores = probability(NAMES.logits(compare_names(some, other.take(every), weights)))
        same = np.flatnonzero(scores >= REVIEW)
        found += len(same)
        missed += sum(row * right + column not in asked for column in same.tolist())
    print(f"recall: {found:,} pairs by comparing {left:,} titles with each of {right:,}")
    return 1 - missed / max(found, 1)


def read_pairs(path: Path) -> tuple[list[str], list[str], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Read labelled pairs, and of each side its title alone."""
    sides: tuple[list[str], list[str]] = ([], [])
    labels = []
    for line in path.read_text().splitlines():
        *texts, label = line.split("\t")
        labels.append(label == "1")
        for side, text in zip(sides, texts, strict=True):
            side.append(text.split(" VAL ", 1)[1].split(" COL ", 1)[0].strip())
    return *sides, np.array(labels)


def f1_of(same: np.ndarray[Any, Any], called: np.ndarray[Any, Any]) -> float:
    """Return the F1 of what is called the same."""
    return float(2 * (same & called).sum() / max(same.sum() + called.sum(), 1))


def f1_at_best(valid: tuple[Numbers, Any], test: tuple[Numbers, Any]) -> float:
    """Choose the limit on validation pairs; return the F1 of test pairs."""
    limits = np.unique(valid[0])
    best = max(limits.tolist(), key=lambda limit: f1_of(valid[1], valid[0] >= limit))
    return round(100 * f1_of(test[1], test[0] >= best), 1)


def quality(name: str) -> dict[str, float]:
    """Return the F1 of names alone on one set, and that of the peers."""
    parts = {
        p: read_pairs(needs.shared() / "data" / "matching" / f"{name}-{p}.txt")
        for p in ("train", "valid", "test")
    }
    every = {title for left, right, _ in parts.values() for title in (*left, *right)}
    weights = Weights.of([read_names(sorted(every))])
    sides: dict[str, tuple[NameTable, NameTable]] = {
        part: (read_names(left), read_names(right)) for part, (left, right, _) in parts.items()
    }
    features = {part: compare_names(*both, weights) for part, both in sides.items()}
    learned = fit(features["train"], parts["train"][2], NAMES)
    token_set = {
        part: np.asarray(process.cpdist(left, right, scorer=fuzz.token_set_ratio), np.float64)
        for part, (left, right, _) in parts.items()
    }
    key = name.replace("-", "_")
    scores: dict[str, dict[str, Any]] = {
        "f1": {part: learned.logits(each) for part, each in features.items()},
        "f1_default": {part: NAMES.logits(each) for part, each in features.items()},
        "f1_rapidfuzz": token_set,
        "f1_tfidf": {p: each[:, NAME_FEATURES.index("grams")] for p, each in features.items()},
    }
    return {
        f"{kind}_{key}": f1_at_best(
            (each["valid"], parts["valid"][2]), (each["test"], parts["test"][2])
        )
        for kind, each in scores.items()
    }


def main() -> int:
    """Measure, and print one JSON object."""
    given = arguments()
    figures: dict[str, Any] = {}
    for name in SETS:
        if not needs.data("data/matching", "labelled pairs"):
            figures |= quality(name)
    print(figures, flush=True)
    figures["match_recall"] = round(recall(given.asked, 20_000), 4)
    figures |= time_command(given.left, given.right)
    print(json.dumps(figures | {"processor": processor(), "cores": os.cpu_count()}))
    return 0 if not figures["match_exit_code"] else 1


if __name__ == "__main__":
    sys.exit(main())
