"""Fitting the head of a new taxonomy: on embeddings of labelled items, calibrated on others."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import torch
from torch.nn.functional import linear

from lib.backfill.carried_thresholds import carry_thresholds
from lib.backfill.head_bundle import NewHead
from lib.backfill.head_split import LabelledEmbeddings, can_split, split_head
from lib.backfill.labelled_items import Labelled, check_enough
from lib.backfill.new_names import NewNames
from lib.embeddings.index import PlacedReader
from lib.embeddings.store import width_of
from lib.evaluation.held_out import Scored, calibrate
from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation
from lib.heads.lda import Moments, moments_of
from lib.models.head import Head, raise_to, read_head
from lib.names.classifier import fit_names
from lib.names.judged import HeldOut, judge_names
from lib.names.part import encoder_of
from lib.runs.progress import plural
from lib.storage.parquet_reader import ParquetParts
from pipelines.backfill_labelled import locate
from pipelines.backfill_plan import Move
from pipelines.steps import Say

MOST_HELD_OUT = 5_000


@dataclass(frozen=True)
class Fitted:
    """A head, what held-out items say of it, and how many items it comes from."""

    head: NewHead
    evaluation: Evaluation
    train_items: int
    without_embedding: int
    seconds: float


def fit(labelled: Labelled, move: Move, say: Say) -> Fitted:
    """Fit a head on the embeddings of labelled items, and evaluate it on those held out.

    Where categories are only split, the old head stays, and what is fitted tells the parts apart.

    Raises:
        InputError: a category has too few items with an embedding.
    """
    started, migration = time.monotonic(), move.migration
    files = move.store.files  # listed once: places count them, and another run may add one
    train, held_out = locate(labelled, files)
    missing = labelled.train.num_rows + labelled.held_out.num_rows
    missing -= train.num_rows + held_out.num_rows
    # a few thousand say as much of a temperature, and logits of all would fill the memory
    step = -(-held_out.num_rows // MOST_HELD_OUT) or 1
    held_out = held_out.take(pa.array(range(0, held_out.num_rows, step), pa.int64()))
    advice = f"; {missing:,} have no embedding, and 'reshelve embed' makes them" if missing else ""
    old = read_head(move.bundle, move.table.storage, torch.device("cpu"))
    kept = can_split(old, migration)
    needed = migration.without_examples if kept else migration.new.leaves
    if not kept:
        advice += (
            "; a category is added or removed, so that all categories are learned anew: name the "
            "labelled items of the old training as labelled.catalog in the backfill's run file"
        )
    classes = [side["category_id"].to_pylist() for side in (train, held_out)]
    check_enough(classes[0], classes[1], needed, advice)
    say(f"{train.num_rows:,} labelled items to fit the head on, {held_out.num_rows:,} held out")
    if labelled.in_doubt:
        say(f"{plural(labelled.in_doubt, 'old label')} left out: what becomes of it is not certain")
    if missing:
        say(f"{plural(missing, 'labelled item')} left out: no embedding")
    column = {leaf: index for index, leaf in enumerate(migration.new.leaves)}
    targets, held_targets = (torch.tensor([column[c] for c in side]) for side in classes)
    # the power that fitted the old head fits its backbone
    raised = (raise_to(part.float(), old.power) for part in read_vectors(train, files))
    moments = moments_of(raised, targets, len(column))
    nothing = torch.empty(0, len(moments.covariance), dtype=torch.float16)
    held_vectors = torch.cat([nothing, *read_vectors(held_out, files)])
    unseen = LabelledEmbeddings(held_vectors, held_targets)
    if kept:
        head, evaluation = _split(move, old, moments, unseen)
    else:
        head, evaluation = _refit(move, old.power, moments, unseen, train.num_rows)
    if move.bundle.info.names:
        asked = [side["name"].to_pylist() for side in (train, held_out)]
        scored = NamedItems(asked[0], asked[1], targets, held_targets)
        head = replace(head, names=fit_new_names(scored, head, unseen, move, say))
    seconds = time.monotonic() - started
    return Fitted(head, evaluation, train.num_rows, missing, seconds)


def _split(
    move: Move, old: Head, moments: Moments, unseen: LabelledEmbeddings
) -> tuple[NewHead, Evaluation]:
    """Keep the old head, its calibration and its threshold, and split some of its rows."""
    leaves = move.migration.new.leaves
    head = split_head(old, move.migration, moments, unseen)
    best = head.probabilities(unseen.embeddings).argmax(dim=1).tolist()
    evaluation = evaluate(
        [leaves[column] for column in unseen.targets.tolist()],
        [head.leaves[column] for column in best],
        move.migration.new,
    )
    metrics = {
        "validation_items": float(evaluation.items),
        "validation_accuracy": evaluation.accuracy,
    }
    info = move.bundle.info
    thresholds = carry_thresholds(info.thresholds, move.migration)
    new = NewHead(head, info.threshold, thresholds=thresholds, metrics=metrics)
    return new, evaluation


def _refit(
    move: Move, power: float, moments: Moments, unseen: LabelledEmbeddings, train_items: int
) -> tuple[NewHead, Evaluation]:
    """Fit all rows anew, and calibrate them on what is held out."""
    taxonomy = move.migration.new
    weight, bias = moments.discriminants()
    scored = Scored(
        item_ids=[],
        logits=linear(raise_to(unseen.embeddings.float(), power), weight, bias),
        targets=unseen.targets,
        unusable=[],
        train_items=train_items,
    )
    calibrated = calibrate(scored, taxonomy, move.bundle.info.promise)
    weight, bias = calibrated.scaling.fold(weight, bias)
    nothing = weight.new_empty(0, weight.shape[1]), bias.new_empty(0)
    head = Head(weight, bias, taxonomy.leaves, calibrated.temperature, *nothing, power)
    new = NewHead(
        head,
        calibrated.threshold,
        thresholds=calibrated.thresholds.by_category,
        claims=calibrated.claims,
        metrics=calibrated.metrics,
    )
    return new, calibrated.evaluation


@dataclass(frozen=True)
class NamedItems:
    """Titles of labelled items to fit on and of those held out, and their columns, int64."""

    train: list[str | None]
    held_out: list[str | None]
    targets: torch.Tensor
    held_targets: torch.Tensor


def fit_new_names(
    items: NamedItems, head: NewHead, unseen: LabelledEmbeddings, move: Move, say: Say
) -> NewNames | None:
    """Fit a classifier of titles for the new taxonomy, and judge it beside the new head.

    Titles are read as the old bundle reads them.

    Returns:
        None where too few items have a name, or names make labels no better.

    Raises:
        InputError: the old bundle's text encoder cannot be used.
    """
    taxonomy = move.migration.new
    encoder = encoder_of(move.bundle, move.table.storage)
    titles = encoder.encode(items.train)
    weights = fit_names(titles, items.targets.numpy(), len(taxonomy.leaves))
    if weights is None:
        return None
    asked = encoder.encode(items.held_out)
    columns = [head.head.leaves.index(leaf) for leaf in taxonomy.leaves]
    held_out = HeldOut(
        image=head.head.probabilities(unseen.embeddings)[:, columns].numpy(),
        margins=weights.margins(asked),
        named=asked.says,
        targets=items.held_targets.numpy(),
    )
    judged = judge_names(held_out, taxonomy, move.bundle.info.promise)
    if judged is None:
        return None
    say(judged.sentence)
    if not judged.used:
        return None
    return NewNames(info=judged.describe(taxonomy, weights.encoder), weights=weights)


def read_vectors(located: pa.Table, files: Sequence[ParquetParts]) -> Iterator[torch.Tensor]:
    """Read the embeddings of items that `locate` has found, float16 [m, d] at a time.

    Raises:
        InputError: a file of the store cannot be read, or its embeddings are of another length.
    """
    width = width_of(files[0])
    for vectors in PlacedReader(files, width).read(located["place"].to_numpy()):
        yield torch.from_numpy(vectors)
