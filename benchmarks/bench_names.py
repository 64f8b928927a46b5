# ruff: noqa: T201  # they speak to a person
"""Image alone, name alone and both, on small photos with titles; and seconds for 100,000 titles.

    python -m benchmarks.bench_names [--photos FOLDER]

A third of the items is the test; of the others 3 or 10 labels a category are drawn, or all are
taken. Categories of fewer than ten items are left out. The last line is one JSON object.
"""

import argparse
import csv
import hashlib
import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    photos = needs.shared() / "data" / "fashion-titles"
    parser.add_argument("--photos", type=Path, default=photos)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    photos = arguments().photos
    needs.check(needs.data(photos, "photos with titles"), needs.memory_gib(3))

import numpy as np
import pyarrow as pa
import torch
from torch.nn.functional import linear

from benchmarks.embedded import STORAGE, embed_by_training, write_training
from benchmarks.machine import processor
from lib.evaluation.held_out import calibrate
from lib.evaluation.intervals import bootstrap
from lib.labels.decisions import Decider, Decision
from lib.labels.promises import Accept
from lib.models.head import raise_to
from lib.names.classifier import fit_names, softmax
from lib.names.fusion import fuse
from lib.names.text import NGrams
from lib.taxonomy.taxonomy import Taxonomy, read_taxonomy
from pipelines.train_head import fit_best_head, scored_by
from pipelines.train_labelled import Labelled
from pipelines.train_names import Promise, read_titles, train_names

OUT = Path(__file__).parent / "out" / "names"
FEWEST, DRAWS, TITLES = 10, 2, 100_000


def write_inputs(photos: Path) -> None:
    """Write the manifest, the taxonomy and the run file of a training."""
    OUT.mkdir(parents=True, exist_ok=True)
    rows = list(csv.DictReader((photos / "items.csv").read_text().splitlines()))
    count = Counter(row["article_type"] for row in rows)
    rows = [row for row in rows if count[row["article_type"]] >= FEWEST]
    with (OUT / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "uri", "name", "category_id"])
        for row in rows:
            uri = (photos / row["uri"]).resolve()
            writer.writerow([row["item_id"], uri, row["name"], row["article_type"].lower()])
    write_training(OUT, {row["article_type"].lower() for row in rows}, photos)


def draw(items: pa.Table, labels: int | None, seed: int) -> tuple[list[int], list[int]]:
    """Return the rows to learn from and those of the test, the same third for every draw."""
    by_category: dict[str, list[int]] = defaultdict(list)
    test = []
    ids, categories = items["item_id"].to_pylist(), items["category_id"].to_pylist()
    for row, (item_id, category) in enumerate(zip(ids, categories, strict=True)):
        if hashlib.sha256(item_id.encode()).digest()[0] % 3 == 0:
            test.append(row)
        else:
            by_category[category].append(row)
    random = np.random.default_rng(seed)
    return [
        row
        for rows in by_category.values()
        for row in sorted(random.permutation(rows)[:labels].tolist())
    ], test


def measure(
    items: pa.Table, vectors: torch.Tensor, taxonomy: Taxonomy, labels: int | None, seed: int
) -> dict[str, Any]:
    """Learn from a draw, and ask about the test by image, by name and by both."""
    learn, test = draw(items, labels, seed)
    column = {leaf: at for at, leaf in enumerate(taxonomy.leaves)}
    targets = np.array([column[each] for each in items["category_id"].to_pylist()])
    drawn = items.take(pa.array(learn))
    labelled = Labelled(
        items=drawn,
        vectors=vectors[learn],
        targets=torch.from_numpy(targets[learn]),
        photos=drawn["item_id"].to_pylist(),
        held_out=0,
        unusable=[],
    )
    promise = Promise(taxonomy=taxonomy, accept=Accept())
    head = fit_best_head(labelled, len(taxonomy.leaves))
    image = calibrate(scored_by(head, labelled), taxonomy, promise.accept)
    titled = read_titles(labelled, NGrams())
    names = train_names(titled, head.judged, head.folds[head.judged], image, promise)
    assert names
    raised = raise_to(vectors[test].float(), head.recipe.power)
    by_image = torch.softmax(image.scaling.apply(linear(raised, *head.rows)), dim=1).numpy()
    asked = NGrams().encode(items["name"].take(pa.array(test)).to_pylist())
    margins = names.weights.margins(asked)
    by_name = softmax(margins / names.judged.temperature)
    both = fuse(by_image, by_name, names.judged.weights)
    fused = names.judged.fused
    decided = Decider(
        taxonomy=taxonomy,
        category_ids=taxonomy.leaves,
        threshold=fused.threshold,
        thresholds=fused.thresholds.by_category,
    ).decide(both)
    accepted = np.array(decided["decision"].to_pylist()) == Decision.ACCEPT
    right = {
        name: probabilities.argmax(axis=1) == targets[test]
        for name, probabilities in (("image", by_image), ("name", by_name), ("both", both))
    }
    found = bootstrap(
        np.stack([each.astype(float) for each in right.values()], axis=1),
        lambda sums: sums / len(test),
    )
    return {
        "labels": len(learn),
        "items": len(test),
        **{
            name: [round(each.value, 3), round(each.low, 3), round(each.high, 3)]
            for name, each in zip(right, found, strict=True)
        },
        "used": names.judged.used,
        "accepted": round(float(accepted.mean()), 3),
        "accepted_right": round(float(right["both"][accepted].mean()), 3)
        if accepted.any()
        else None,
    }


def time_titles(items: pa.Table, taxonomy: Taxonomy) -> dict[str, float]:
    """Fit and ask 100,000 titles: the real ones with words left out and others' words put in."""
    random = np.random.default_rng(0)
    names = items["name"].to_pylist()
    column = {leaf: at for at, leaf in enumerate(taxonomy.leaves)}
    rows = random.integers(0, len(names), TITLES)
    words = [word for name in names for word in name.split()]
    titles = [
        " ".join(
            [*(w for w in names[row].split() if random.random() > 0.15), str(random.choice(words))]
        )
        for row in rows.tolist()
    ]
    targets = np.array([column[items["category_id"][row].as_py()] for row in rows.tolist()])
    before, cpu = time.perf_counter(), time.process_time()
    weights = fit_names(NGrams().encode(titles), targets, len(column))
    fitted, fitted_cpu = time.perf_counter() - before, time.process_time() - cpu
    assert weights
    before = time.perf_counter()
    weights.margins(NGrams().encode(titles[:10_000]))
    asked = 10 * (time.perf_counter() - before)
    return {
        "fit_100k_s": round(fitted, 1),
        "fit_100k_cpu_s": round(fitted_cpu, 1),
        "ask_100k_s": round(asked, 1),
    }


def main() -> None:
    """Measure all, and say it."""
    photos = arguments().photos
    write_inputs(photos)
    items, vectors = embed_by_training(OUT)
    taxonomy = read_taxonomy(str(OUT / "taxonomy.yaml"), STORAGE)
    found: dict[str, Any] = {"processor": processor()}
    for labels, draws in ((None, 1), (10, DRAWS), (3, DRAWS)):
        for seed in range(draws):
            name = f"labels_{labels or 'all'}_draw_{seed}"
            found[name] = measure(items, torch.from_numpy(vectors), taxonomy, labels, seed)
            print(name, found[name], flush=True)
    print(json.dumps(found | time_titles(items, taxonomy)))


if __name__ == "__main__":
    main()
