"""An unlabelled catalog: its sample, and what it does to a head on the frozen backbone."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from lib.catalog.sample import sample_catalog
from lib.errors import InputError
from lib.evaluation.calibration import fit_temperature
from lib.evaluation.held_out import Scored
from lib.heads.adapt import (
    CONFIDENT,
    WEIGHT,
    Adaptation,
    adapt_head,
    judge_adaptation,
    recipe_with_more,
)
from lib.heads.folds import NEVER_HELD_OUT
from lib.heads.threads import one_thread
from lib.models.config import ChosenModel
from lib.storage.storage import Storage
from pipelines.train_config import TrainRun
from pipelines.train_embed import Backbone
from pipelines.train_head import FittedHead, Rows, scored_by
from pipelines.train_labelled import Labelled

# as many as a head learns from in seconds; more say hardly more
MOST_ITEMS = 5_000


def read_unlabelled(
    config: TrainRun, model: ChosenModel, items: pa.Table, held_out: pa.Table, storage: Storage
) -> pa.Table | None:
    """Read a fixed sample of the catalog to adapt to, or None where none is given.

    Raises:
        InputError: the catalog cannot be read, all of its photos are labelled ones, or the network
            has no weights.
    """
    if config.adapt is None:
        return None
    if model.weights == "none":
        raise InputError(
            "adapt: a network without weights has no head that could adapt; give model.weights, or "
            "take out 'adapt'"
        )
    labelled = set(items["uri"].to_pylist()) | set(held_out["uri"].to_pylist())
    found = sample_catalog(config.adapt, storage, MOST_ITEMS, labelled)
    if not found.num_rows:
        raise InputError(
            f"adapt: all photos of {config.adapt.uri} are labelled ones; expected others, which "
            "need no labels, or no 'adapt'"
        )
    return found


def embed_unlabelled(backbone: Backbone, items: pa.Table, labelled: Labelled) -> Tensor:
    """Return embeddings of unlabelled items, float16 [m, d]; copies of labelled photos left out."""
    _, vectors = backbone.embed(items)
    seen = {each.tobytes() for each in labelled.vectors.numpy()}
    return vectors[[row for row, each in enumerate(vectors.numpy()) if each.tobytes() not in seen]]


def adapt_fitted(
    head: FittedHead, scored: Scored, labelled: Labelled, unlabelled: Tensor
) -> tuple[FittedHead, Scored, Adaptation]:
    """Let a head, and each of its folds' heads, learn from pseudo-labels of its own.

    Args:
        head: the head on labels alone.
        scored: what it says of the items that judge it.
        labelled: the labelled items.
        unlabelled: embeddings of others, float16 [m, d].

    Returns:
        The head that is kept, what it says, and what the catalog did.
    """
    train = labelled.train
    vectors, targets = labelled.vectors[train], labelled.targets[train]
    recipe = recipe_with_more(head.recipe)
    logits, judged = head.candidates[0].logits, head.folds != NEVER_HELD_OUT

    def adapt(rows: Rows, learned: Tensor) -> tuple[Rows, int]:
        # a fold's own items say nothing of how sure its head may be
        known = learned & judged
        temperature = fit_temperature(logits[known], targets[known])
        calibrated = rows[0] / temperature, rows[1] / temperature
        found = adapt_head(vectors[learned], targets[learned], unlabelled, calibrated, recipe)
        return found.rows, found.pseudo_labels

    with one_thread():
        rows, pseudo_labels = adapt(head.rows, torch.ones(len(targets), dtype=torch.bool))
        folds = enumerate(head.by_fold)
        by_fold = [adapt(each, head.folds != fold)[0] for fold, each in folds]
        adapted = replace(head, rows=rows, by_fold=by_fold)
        after = scored_by(adapted, labelled)
        found = judge_adaptation(scored.logits, after.logits, scored.targets, pseudo_labels)
    return (adapted, after, found) if found.kept else (head, scored, found)


def describe_adaptation(head: FittedHead, found: Adaptation) -> dict[str, Any]:
    """Return what a bundle's recipe says of it: the sentence, and the dials where it was kept."""
    described: dict[str, Any] = {"adaptation": found.sentence}
    if found.kept:
        described["head"] = recipe_with_more(head.recipe).model_dump(mode="json")
        described["pseudo_labels"] = found.pseudo_labels
        described["pseudo_label_confidence"], described["pseudo_label_weight"] = CONFIDENT, WEIGHT
    return described
