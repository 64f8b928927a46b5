# ruff: noqa: T201  # a folder of commands, no package; they speak to a person
"""How often a promise of precision is broken: 200 redraws of the labels that it is chosen on.

    python -m benchmarks.promise_redraws EMBEDDINGS.npz TAXONOMY.yaml [few] [all]

The file has `train_x`, `train_y`, `validation_x` and so on: embeddings, and columns of the
taxonomy's leaves. Prints one JSON object. "few" draws 10 labels a category of train and predicts
them out of ten folds; the truth is test and the rest of train. "all" fits a head on train and draws
340 items, with replacement, of validation and test, which are also the truth.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.evaluation.calibration import choose_scaling, stratified_folds
from lib.evaluation.thresholds import choose_thresholds
from lib.heads.lda import moments_of
from lib.labels.decisions import Decider
from lib.labels.promises import Accept
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy, read_taxonomy

REDRAWS, FEW, HELD_OUT, FOLDS = 200, 10, 340, 10
Scored = tuple[Tensor, Tensor]  # logits and true columns


def fit(vectors: Tensor, targets: Tensor, leaves: int) -> tuple[Tensor, Tensor]:
    """Fit the closed-form head."""
    return moments_of([vectors], targets, leaves).discriminants()


def few(data: dict[str, Tensor], leaves: int) -> Iterator[tuple[Scored, Scored]]:
    """Yield out-of-fold logits of a few labels, and those of all other items, for each redraw."""
    train, targets = data["train_x"], data["train_y"]
    for seed in range(REDRAWS):
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
        drawn = torch.cat([order[targets[order] == leaf][:FEW] for leaf in range(leaves)])
        some, labels = train[drawn], targets[drawn]
        folds = stratified_folds(labels, FOLDS)
        logits = torch.empty(len(labels), leaves)
        for fold in range(FOLDS):
            mine = folds == fold
            logits[mine] = linear(some[mine], *fit(some[~mine], labels[~mine], leaves))
        rest = torch.ones(len(targets), dtype=torch.bool)
        rest[drawn] = False
        others = torch.cat([data["test_x"], train[rest]])
        truth = torch.cat([data["test_y"], targets[rest]])
        yield (logits, labels), (linear(others, *fit(some, labels, leaves)), truth)


def every(data: dict[str, Tensor], leaves: int) -> Iterator[tuple[Scored, Scored]]:
    """Yield logits of a redraw of held-out items, and of all of these."""
    head = fit(data["train_x"], data["train_y"], leaves)
    logits = linear(torch.cat([data["validation_x"], data["test_x"]]), *head)
    targets = torch.cat([data["validation_y"], data["test_y"]])
    for seed in range(REDRAWS):
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randint(len(targets), (HELD_OUT,), generator=generator)
        yield (logits[drawn], targets[drawn]), (logits, targets)


SETTINGS = {"few": few, "all": every}


def judge(held_out: Scored, truth: Scored, taxonomy: Taxonomy, accept: Accept) -> list[float]:
    """Return share and precision of what is accepted as a leaf, then above the leaves."""
    scaled = choose_scaling(*held_out)
    chosen = choose_thresholds(
        scaled.logits.softmax(dim=1).numpy(), held_out[1].numpy(), taxonomy, accept
    )
    decider = Decider(
        taxonomy=taxonomy,
        category_ids=taxonomy.leaves,
        threshold=1.0,
        thresholds=chosen.by_category,
    )
    decided = decider.decide(scaled.scaling.apply(truth[0]).softmax(dim=1).float().numpy())
    lineage = [{leaf, *taxonomy.ancestors(leaf)} for leaf in taxonomy.leaves]
    names = decided["category_id"].to_pylist()
    right = np.array([n in lineage[c] for n, c in zip(names, truth[1].tolist(), strict=True)])
    found = []
    for decision in ("accept", "parent"):
        mine = decided["decision"].to_numpy() == decision
        found += [float(mine.mean()), float(right[mine].mean()) if mine.any() else 1.0]
    return found


def main() -> None:
    """Measure the settings that are named, or both, in both modes."""
    taxonomy = read_taxonomy(sys.argv[2], Storage(StorageConfig()))
    with np.load(sys.argv[1]) as file:
        data = {name: torch.from_numpy(file[name]) for name in file.files}
    told: dict[str, Any] = {}
    for name in sys.argv[3:] or SETTINGS:
        redraws = list(SETTINGS[name](data, len(taxonomy.leaves)))
        for mode in ("strict", "balanced"):
            accept = Accept.model_validate({"mode": mode})
            found = np.array([judge(*each, taxonomy, accept) for each in redraws])
            told[f"{name}_{mode}"] = {
                "coverage": found[:, 0].mean(),
                "below_95": (found[:, 1] < 0.95).mean(),
                "below_90": (found[:, 1] < 0.9).mean(),
                "parent_share": found[:, 2].mean(),
                "parent_below_95": (found[:, 3] < 0.95).mean(),
            }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
