"""A new head from people's answers, on the kept embeddings: in seconds, and without a cluster."""

import time
from dataclasses import dataclass, replace

import pyarrow as pa
import torch

from lib.backfill.head_bundle import NewHead, write_head_bundle
from lib.backfill.new_names import NewNames
from lib.backfill.score_unit import scorer_of
from lib.batches import to_parquet
from lib.catalog.catalog import CatalogConfig, labels_of
from lib.drift.sample import sample_of
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.evaluation.held_out import Calibrated, calibrate
from lib.evaluation.intervals import share
from lib.evaluation.paired import compare
from lib.evaluation.predictions import make_predictions, write_predictions
from lib.labels.annotations import annotations_of
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.models.head import Head
from lib.names.part import encoder_of
from lib.review.teach import teach
from lib.runs import files
from lib.runs.progress import duration, plural, stage
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join
from pipelines.backfill_labelled import refuse_other_backbone
from pipelines.current_bundle import CURRENT, find_bundle
from pipelines.review_changes import changes_of
from pipelines.review_fit_int8 import judge_kept
from pipelines.review_fit_items import embedded, named, read_known, right_before_and_after
from pipelines.review_fit_record import HeadFit
from pipelines.steps import Say
from pipelines.train_head import FittedHead, fit_best_head, scored_by
from pipelines.train_labelled import Labelled
from pipelines.train_names import (
    Promise,
    TrainedNames,
    decide,
    judged_together,
    read_titles,
    train_names,
)


@dataclass(frozen=True, kw_only=True)
class HeadToFit:
    """What a head is fitted from, and where its bundle goes.

    Attributes:
        folder: takes `bundle/`, and the labelled items that it was fitted on.
        labels_table: the labels table.
        annotations: the table of answers; None for the one beside the labels table.
        embeddings: the folder that keeps them.
        bundle: of the backbone, whose head is replaced; `current` for that of the table.
        catalog: labelled items beside the answers; None for those that the bundle was trained on,
            where they are kept beside it.
    """

    folder: str
    labels_table: str = "labels"
    annotations: str | None = None
    embeddings: str = "embeddings"
    bundle: str = CURRENT
    catalog: CatalogConfig | None = None


def fit_head(wanted: HeadToFit, storage: Storage, say: Say) -> HeadFit:
    """Fit a head on the labelled items and the answers that stand, and write its bundle.

    Nothing is published, and no other file is changed.

    Raises:
        InputError: something given cannot be used, or a category has too few labels.
        StoreError: a store does not answer.
    """
    started = time.monotonic()
    uri = join(absolute(wanted.folder), files.BUNDLE)
    if storage.exists(join(uri, "bundle.json")):
        raise InputError(f"{wanted.folder}: there is a bundle in this folder; give another")
    labels = LabelsTable(wanted.labels_table, storage)
    old = find_bundle(wanted.bundle, labels, storage)
    store = EmbeddingStore(wanted.embeddings, old.backbone_digest, storage)
    refuse_other_backbone(store, wanted.embeddings, storage)
    place = wanted.annotations or annotations_of(wanted.labels_table)
    with stage(say, "reading the answers and the labelled items"):
        answers = AnnotationsTable(place, storage).standing(old.taxonomy)
        known = read_known(wanted.catalog, old, storage)
        taught = teach(known.items, None, named(answers, labels))
        old.taxonomy.check_labels(labels_of(taught.items), place)
    say(taught.sentence)
    labelled, without = embedded(taught, old, store)
    if without:
        say(f"{plural(without, 'labelled item')} left out: no embedding")
    for sentence in labelled.sentences:
        say(sentence)
    with stage(say, f"fitting a head on {plural(len(labelled.targets), 'labelled item')}"):
        head = fit_best_head(labelled, len(old.taxonomy.leaves))
        bundle, predictions = _write(uri, old, labelled, head, store)
        storage.write(join(absolute(wanted.folder), files.TRAIN_ITEMS), to_parquet(labelled.items))
    say(f"head: {head.recipe}, the best of {len(head.candidates)}, in {duration(head.seconds)}")
    before, after = right_before_and_after(predictions, known, old, store)
    with stage(say, "looking at what would change in the labels table"):
        changes = changes_of(labels, answers, store, scorer_of(bundle, storage))
    fit = HeadFit(
        bundle=bundle,
        taught=taught,
        items=len(labelled.targets),
        without_embedding=without,
        recipe=str(head.recipe),
        before=share(int(before.sum()), len(before)),
        after=share(int(after.sum()), len(after)),
        comparison=compare(after, before) if len(before) else None,
        changes=changes,
        seconds=time.monotonic() - started,
    )
    for sentence in (*fit.sentences, f"bundle: {bundle.uri}"):
        say(sentence)
    return fit


def _write(
    uri: str, old: Bundle, labelled: Labelled, head: FittedHead, store: EmbeddingStore
) -> tuple[Bundle, pa.Table]:
    """Calibrate a head, write its bundle, and return it with what it says of held-out items."""
    storage, taxonomy, leaves = store.storage, old.taxonomy, old.taxonomy.leaves
    promise = Promise(taxonomy=taxonomy, accept=old.info.promise)
    scored, folds = scored_by(head, labelled), head.folds[head.judged]
    image = calibrate(scored, taxonomy, promise.accept)
    titled = read_titles(labelled, encoder_of(old, storage))
    names = train_names(titled, head.judged, folds, image, promise)
    used = judged_together(image, names, scored.targets, promise)
    names = names if names and names.judged.used else None
    scaled = image.scaling.apply(scored.logits)
    by_image = torch.softmax(scaled, dim=1).float().numpy()
    probabilities, decided = decide(by_image, image, names)
    judging = labelled.items.take(pa.array(head.judged.numpy()))
    predictions = make_predictions(
        judging, leaves, probabilities, folds=folds.numpy(), decided=decided
    )
    write_predictions(join(uri, files.HELD_OUT), storage, predictions)
    reference = sample_of(
        predictions["item_id"].to_pylist(),
        predictions["predicted"].to_pylist(),
        predictions["confidence"].to_numpy(),
        labelled.vectors[head.judged].numpy(),
    )
    folder, _, digest = store.uri.rpartition("/")
    coarse = EmbeddingStore(folder, f"{digest}-int8", storage)
    int8 = judge_kept(head, labelled, image, names, coarse) if old.info.int8 else None
    new = replace(_new_head(head, image, used, names, old), reference=reference, int8=int8)
    write_head_bundle(uri, storage, old, new, taxonomy)
    return read_bundle(uri, storage), predictions.append_column("name", judging["name"])


def _new_head(
    head: FittedHead,
    image: Calibrated,
    used: Calibrated,
    names: TrainedNames | None,
    old: Bundle,
) -> NewHead:
    weight, bias = image.scaling.fold(*head.rows)
    nothing = weight.new_empty(0, weight.shape[1]), bias.new_empty(0)
    leaves, power = old.taxonomy.leaves, head.recipe.power
    of_names = None
    if names:
        info = names.judged.describe(old.taxonomy, names.weights.encoder)
        of_names = NewNames(info=info, weights=names.weights)
    return NewHead(
        Head(weight, bias, leaves, image.temperature, *nothing, power),
        image.threshold,
        thresholds=image.thresholds.by_category,
        claims=image.claims,
        metrics=used.metrics,
        names=of_names,
        recipe={"strategy": "head", "head": head.recipe.model_dump(mode="json")},
    )
