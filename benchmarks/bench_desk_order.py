# ruff: noqa: T201  # they speak to a person
"""How many decisions a person needs until a catalog is labelled right, in the desk's order or any.

    python -m benchmarks.bench_desk_order [--photos FOLDER]

Ten labels a category are known, and those of all other photos are hidden: they are the catalog. A
head labels it; a person answers 120, rightly; the head is fitted again on all that is known, and
labels what is left. Its recipe is chosen again whenever half as many labels more are known. The
precision is that of the whole catalog: of what was answered and of what the head says of the rest.
The last line is one JSON object.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    photos = needs.shared() / "data" / "clothing"
    parser.add_argument("--photos", type=Path, default=photos)
    parser.add_argument("--orders", nargs="+", default=["helpful", "random", "unsure"])
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    needs.check(
        needs.data(arguments().photos, "folders of photos by side and category"),
        needs.memory_gib(3),
    )

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.embedded import embed_by_training, write_training
from benchmarks.labels import SIDES, read_photos, write_manifest
from benchmarks.machine import processor
from lib.backfill.score_unit import best_of
from lib.embeddings.clusters import find_clusters
from lib.evaluation.calibration import choose_scaling
from lib.heads.folds import assign_folds, count_folds
from lib.heads.recipes import fit_head
from lib.heads.threads import one_thread
from lib.labels.decisions import NEVER, Decider
from lib.models.head import raise_to
from lib.review.order import Order, order_rows
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy
from pipelines.train_head import FittedHead, fit_best_head, on_folds, scored_by
from pipelines.train_labelled import Labelled

OUT = Path(__file__).parent / "out" / "desk-order"
KEPT = OUT / "embeddings.npz"
KNOWN, ANSWERED, CLUSTERS, DRAWS = 10, 120, 50, 2
GROWN = 1.5  # from which on the recipe is chosen again
GOALS = (0.9, 0.95)
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Photos:
    """The catalog: ids, embeddings, true categories, and groups of what looks alike."""

    ids: pa.Array
    vectors: Tensor
    targets: Tensor
    clusters: Ints
    taxonomy: Taxonomy


def write_inputs(photos: Path) -> None:
    """Write a manifest of all photos, the taxonomy, and the run file of a training."""
    OUT.mkdir(parents=True, exist_ok=True)
    found = [each for side in SIDES for each in read_photos(photos, side)]
    write_manifest(OUT / "items.csv", found)
    write_training(OUT, {category for _, category in found}, photos)


def embed() -> None:
    """Embed all photos, and keep their embeddings for the next time."""
    items, vectors = embed_by_training(OUT)
    np.savez(KEPT, vectors=vectors, uris=np.array(items["uri"].to_pylist()))


def read_embedded(photos: Path) -> Photos:
    """Return the photos of the catalog that have an embedding."""
    labels = dict(each for side in SIDES for each in read_photos(photos, side))
    with np.load(KEPT) as kept:
        vectors, uris = kept["vectors"], kept["uris"].tolist()
    taxonomy = parse_taxonomy((OUT / "taxonomy.yaml").read_text(), "taxonomy.yaml")
    column = {leaf: at for at, leaf in enumerate(taxonomy.leaves)}
    clusters = np.zeros(len(vectors), np.int64)
    for number, members in enumerate(find_clusters(vectors, CLUSTERS).members):
        clusters[members] = number
    return Photos(
        ids=pa.array(uris, pa.string()),
        vectors=torch.from_numpy(vectors),
        targets=torch.tensor([column[labels[each]] for each in uris]),
        clusters=clusters,
        taxonomy=taxonomy,
    )


class Heads:
    """The heads of one catalog as answers come in, fitted as `reshelve review fit` does."""

    def __init__(self, photos: Photos) -> None:
        """Begin with none."""
        self._photos = photos
        self._chosen: FittedHead | None = None
        self._chosen_by = 0

    def label(self, known: Ints, rest: Ints) -> pa.Table:
        """Fit a head on what is known, and label the rest with it."""
        photos, leaves = self._photos, self._photos.taxonomy.leaves
        ids = photos.ids.take(pa.array(known))
        labelled = Labelled(
            items=pa.table({"item_id": ids}),
            vectors=photos.vectors[known],
            targets=photos.targets[known],
            photos=ids.to_pylist(),
            held_out=0,
            unusable=[],
        )
        with one_thread():
            head = self._fit(labelled)
            scored = scored_by(head, labelled)
        scaling = choose_scaling(scored.logits, scored.targets).scaling
        raised = raise_to(photos.vectors[rest].float(), head.recipe.power)
        probabilities = torch.softmax(scaling.apply(linear(raised, *head.rows)), dim=1).float()
        decider = Decider(taxonomy=photos.taxonomy, category_ids=leaves, threshold=NEVER)
        decided = decider.decide_among(*best_of(probabilities), probabilities.numpy())
        named = decided.append_column("item_id", photos.ids.take(pa.array(rest)))
        return named.append_column("cluster", pa.array(photos.clusters[rest]))

    def _fit(self, labelled: Labelled) -> FittedHead:
        count, leaves = len(labelled.targets), len(self._photos.taxonomy.leaves)
        if self._chosen is None or count >= GROWN * self._chosen_by:
            self._chosen, self._chosen_by = fit_best_head(labelled, leaves), count
            return self._chosen
        rows = fit_head(labelled.vectors, labelled.targets, leaves, self._chosen.recipe)
        folds = assign_folds(labelled.photos, labelled.targets.tolist(), count_folds(count))
        return on_folds(replace(self._chosen, rows=rows), labelled, folds)


def count_decisions(photos: Photos, order: Order, seed: int) -> dict[float, int]:
    """Return how many decisions each goal needs."""
    shuffled = np.random.default_rng(seed).permutation(len(photos.targets))
    truth = photos.targets.numpy()
    names = np.array(photos.taxonomy.leaves)[truth]
    known = np.concatenate(
        [shuffled[truth[shuffled] == leaf][:KNOWN] for leaf in range(len(photos.taxonomy.leaves))]
    )
    rest = np.setdiff1d(shuffled, known)
    catalog, needed, heads = len(rest), dict[float, int](), Heads(photos)
    while len(needed) < len(GOALS):
        labels = heads.label(known, rest)
        wrong = np.array(labels["category_id"].to_pylist()) != names[rest]
        asked = order_rows(labels, order, seed)[:ANSWERED]
        # each answer rights one label, if it was wrong
        left = wrong.sum() - np.concatenate([[0], wrong[asked].cumsum()])
        done = catalog - len(rest)
        for goal in GOALS:
            reached = np.flatnonzero(1 - left / catalog >= goal)
            if goal not in needed and len(reached):
                needed[goal] = done + int(reached[0])
        known, rest = np.concatenate([known, rest[asked]]), np.delete(rest, asked)
    return needed


def main() -> None:
    """Measure the desk's order and the others, and say it."""
    given = arguments()
    write_inputs(given.photos)
    if not KEPT.exists():
        embed()
    photos = read_embedded(given.photos)
    found: dict[str, Any] = {"processor": processor(), "photos": len(photos.targets)}
    for order in map(Order, given.orders):
        draws = []
        for seed in range(DRAWS):
            before = time.perf_counter()
            draws.append(count_decisions(photos, order, seed))
            took = time.perf_counter() - before
            print(order, seed, draws[-1], f"{took:.0f} s", flush=True)
        for goal in GOALS:
            name = f"{order}_{goal * 100:.0f}"
            found[name] = [each[goal] for each in draws]
            found[f"{name}_mean"] = round(float(np.mean(found[name])))
    if {Order.HELPFUL, Order.RANDOM} <= {*given.orders}:
        for goal in GOALS:
            ours, other = (found[f"{each}_{goal * 100:.0f}_mean"] for each in ("helpful", "random"))
            found[f"share_of_random_{goal * 100:.0f}"] = round(ours / other, 3)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
