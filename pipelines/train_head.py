"""A head on the frozen backbone: chosen by cross-validation, judged on what it has not seen."""

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.evaluation.held_out import Scored
from lib.heads.choice import HeadCandidate, choose_head
from lib.heads.folds import NEVER_HELD_OUT, assign_folds, count_folds
from lib.heads.recipes import HeadRecipe, fit_head
from lib.heads.threads import one_thread
from lib.models.head import raise_to
from pipelines.train_labelled import Labelled

Rows = tuple[Tensor, Tensor]  # weight float32 [leaves, d], bias float32 [leaves]


@dataclass(frozen=True, kw_only=True)
class FittedHead:
    """A head and what judges it.

    Attributes:
        candidates: every recipe, the best first.
        rows: the head, fitted on all items that are not held out.
        by_fold: heads that have not seen a fold, where each item is held out in turn.
        folds: int64 [n] of the labelled items, as `assign_folds`.
        judged: places of the items that judge the head.
        seconds: that it took.
    """

    candidates: list[HeadCandidate]
    rows: Rows
    by_fold: list[Rows]
    folds: Tensor
    judged: Tensor
    seconds: float

    @property
    def recipe(self) -> HeadRecipe:
        """How it was fitted."""
        return self.candidates[0].recipe

    def score(self, vectors: Tensor, places: Tensor) -> Tensor:
        """Return logits of labelled items from heads that have not seen them, float32 [m, leaves].

        Args:
            vectors: embeddings, float16 [m, d].
            places: int64 [m], of the items among the labelled ones; some of `judged`.
        """
        raised = raise_to(vectors.float(), self.recipe.power)
        if not self.by_fold:
            return linear(raised, *self.rows)
        logits = torch.empty(len(places), len(self.rows[1]))
        for fold, rows in enumerate(self.by_fold):
            mine = self.folds[places] == fold
            logits[mine] = linear(raised[mine], *rows)
        return logits


def fit_best_head(labelled: Labelled, leaves: int) -> FittedHead:
    """Choose and fit the head of labelled embeddings."""
    few = labelled.train.stop < labelled.vectors.shape[1]
    with one_thread() if few else nullcontext():
        return _fit(labelled, leaves)


def _fit(labelled: Labelled, leaves: int) -> FittedHead:
    started = time.monotonic()
    train = labelled.train
    vectors, targets = labelled.vectors[train], labelled.targets[train]
    count = count_folds(len(targets))
    folds = assign_folds(labelled.photos[train], targets.tolist(), count)
    candidates = choose_head(vectors, targets, folds, leaves)
    head = FittedHead(
        candidates=candidates,
        rows=fit_head(vectors, targets, leaves, candidates[0].recipe),
        by_fold=[],
        folds=folds,
        judged=torch.arange(len(targets), len(labelled.targets)),
        seconds=0.0,
    )
    head = head if labelled.held_out else on_folds(head, labelled, folds)
    return replace(head, seconds=time.monotonic() - started)


def on_folds(head: FittedHead, labelled: Labelled, folds: Tensor) -> FittedHead:
    """Return the same head, judged on these folds: by heads that have not seen each.

    Args:
        head: of the labelled items.
        labelled: of which none is held out for good.
        folds: int64 [n], as `assign_folds` gives them.
    """
    vectors, targets, leaves = labelled.vectors, labelled.targets, len(head.rows[1])
    return replace(
        head,
        by_fold=[
            fit_head(vectors[folds != fold], targets[folds != fold], leaves, head.recipe)
            for fold in range(int(folds.max()) + 1)
        ],
        folds=folds,
        judged=torch.nonzero(folds != NEVER_HELD_OUT).flatten(),
    )


def scored_by(head: FittedHead, labelled: Labelled) -> Scored:
    """Return what the head says of the items that judge it."""
    ids = labelled.items["item_id"].to_pylist()
    return Scored(
        item_ids=[ids[place] for place in head.judged.tolist()],
        logits=head.score(labelled.vectors[head.judged], head.judged),
        targets=labelled.targets[head.judged],
        unusable=labelled.unusable,
        train_items=labelled.train.stop,
    )
