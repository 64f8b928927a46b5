"""From a model and what judges it to a bundle: calibrated, compiled, with all that it rests on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lib.drift.sample import sample_of
from lib.evaluation.held_out import Calibrated, Scored
from lib.evaluation.predictions import make_predictions, write_predictions
from lib.labels.promises import Accept
from lib.models.bundle import Bundle, BundleInfo
from lib.models.bundle_weights import write_compiled, write_tensors
from lib.models.config import ChosenModel
from lib.models.device_decode import DeviceDecode
from lib.models.int8 import FEWEST_ITEMS, Int8
from lib.models.reference import write_reference
from lib.names.part import write_names
from lib.runs import files
from lib.runs.run import Run
from lib.storage.uris import join
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.train_embed import Backbone
from pipelines.train_head import FittedHead
from pipelines.train_int8 import Judges, judge_decode, judge_outcomes
from pipelines.train_names import TrainedNames, decide

MOST_JUDGES, SCALE_ITEMS = 2_000, 300
# mean cosine of a faster way's embeddings and the exact ones: nights keep them for heads to come
LEAST_LIKENESS = 0.98


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model and the items that judge it.

    Attributes:
        backbone: its backbone.
        head: weight float32 [leaves, d] and bias float32 [leaves].
        power: to which embeddings are raised for the head.
        by_head: the head fitted on embeddings, where it was.
        places: int64 [m], the labelled items that judge it.
        scored: what it says of them.
        folds: int64 [m], in which fold each was held out, or None.
        recipe: how it was trained, dial by dial.
    """

    backbone: Backbone
    head: tuple[Tensor, Tensor]
    power: float
    by_head: FittedHead | None
    places: Tensor
    scored: Scored
    folds: Tensor | None
    recipe: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trained(Model):
    """A model, and what the items that judge it say of it.

    Attributes:
        calibrated: of the image alone.
        names: what titles say of the same items; None where too few have one.
        used: of images and names together, where both are used.
    """

    calibrated: Calibrated
    names: TrainedNames | None
    used: Calibrated

    @property
    def names_in_use(self) -> TrainedNames | None:
        """The titles' classifier, where it makes labels better."""
        return self.names if self.names and self.names.judged.used else None


@dataclass(frozen=True, kw_only=True)
class Described:
    """What all bundles of a training have in common: its run, network, categories and promise."""

    run: Run
    model: ChosenModel
    taxonomy: Taxonomy
    accept: Accept


def write_trained_bundle(
    name: str, described: Described, trained: Trained, items: pa.Table, *, with_int8: bool
) -> tuple[Bundle, pa.Table]:
    """Write a bundle, and beside it what it says of the items that judge it; return both.

    Args:
        name: the bundle's folder in the run's.
        described: whose bundle it is.
        trained: the model.
        items: the labelled items, as `trained.places` counts them.
        with_int8: whether to compile it in int8 too, and to see whether GPUs may decode, which
            takes its time.
    """
    run, model, taxonomy = described.run, described.model, described.taxonomy
    names = trained.names_in_use
    uri, accept = run.at(name), described.accept
    storage, calibrated, backbone = run.storage, trained.calibrated, trained.backbone
    leaves = taxonomy.leaves
    judging = items.take(pa.array(trained.places.numpy()))
    embedded, vectors = backbone.embed(_spread(judging, MOST_JUDGES))
    backbone.compile()
    judged = judge(trained, judging, embedded, vectors, items) if with_int8 else (None, None)
    int8, device_decode = judged
    compiled = backbone.job.kept("fp32") | (backbone.job.kept("int8") if int8 else {})
    scaled = calibrated.scaling.apply(trained.scored.logits)
    probabilities, decided = decide(
        torch.softmax(scaled, dim=1).float().numpy(), calibrated, trained.names_in_use
    )
    predictions = make_predictions(
        judging,
        leaves,
        probabilities,
        folds=None if trained.folds is None else trained.folds.numpy(),
        decided=decided,
    )
    write_predictions(join(uri, files.HELD_OUT), storage, predictions)
    place = {item_id: row for row, item_id in enumerate(predictions["item_id"].to_pylist())}
    said = predictions.take(pa.array([place[each] for each in embedded["item_id"].to_pylist()]))
    reference = sample_of(
        said["item_id"].to_pylist(),
        said["predicted"].to_pylist(),
        said["confidence"].to_numpy(),
        vectors.numpy(),
    )
    weight, bias = calibrated.scaling.fold(*trained.head)
    head = {"head.weight": weight.float(), "head.bias": bias.float()}
    tensors = backbone.job.tensors() | head
    info = BundleInfo(
        run_id=run.run_id,
        architecture=model.architecture,
        weights=model.weights,
        preprocessing=model.preprocessing,
        category_ids=leaves,
        head_power=trained.power,
        temperature=calibrated.temperature,
        threshold=calibrated.threshold,
        thresholds=calibrated.thresholds.by_category,
        target_precision=accept.precision,
        accept=accept,
        claims=calibrated.claims,
        metrics=trained.used.metrics,
        recipe=trained.recipe,
        int8=int8,
        device_decode=device_decode,
        names=names.judged.describe(taxonomy, names.weights.encoder) if names else None,
        digests={
            **write_compiled(uri, storage, compiled),
            **write_reference(uri, storage, reference),
            **(write_names(uri, storage, names.weights) if names else {}),
        },
    )
    return write_tensors(uri, storage, tensors, taxonomy, info), predictions


def judge(
    trained: Trained, judging: pa.Table, embedded: pa.Table, exact: Tensor, items: pa.Table
) -> tuple[Int8 | None, DeviceDecode | None]:
    """Judge int8, and what GPUs decode, by what is decided of items that the head has not seen.

    Returns:
        None where it is no good, cannot be had, or where too few items, or ones that the network
        has learned from, would say so.
    """
    # an item that was learned by heart is never a close call
    seen = trained.by_head is None and trained.folds is not None
    if embedded.num_rows < FEWEST_ITEMS or seen:
        return None, None
    row = {item_id: row for row, item_id in enumerate(judging["item_id"].to_pylist())}
    rows = torch.tensor([row[each] for each in embedded["item_id"].to_pylist()])
    places = trained.places[rows]

    def probabilities(vectors: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
        if trained.by_head:
            logits = trained.by_head.score(vectors, places)
        else:
            logits = torch.nn.functional.linear(vectors.float(), *trained.head)
        scaled = trained.calibrated.scaling.apply(logits)
        found: np.ndarray[Any, np.dtype[np.float32]] = torch.softmax(scaled, dim=1).float().numpy()
        return found

    by = Judges(
        targets=trained.scored.targets[rows].numpy(),
        image=trained.calibrated,
        names=trained.names_in_use,
        rows=rows.numpy(),
    )
    int8 = device = None
    coarse = _in_int8(trained.backbone, embedded, items)
    if coarse is not None and _alike(exact, coarse):
        int8 = judge_outcomes((probabilities(exact), probabilities(coarse)), by)
    if (again := trained.backbone.embed_on_gpu(embedded)) and _alike(exact, again[1]):
        both = probabilities(exact), probabilities(again[1])
        device = judge_decode(both, by, again[0])
    return int8, device


def _in_int8(backbone: Backbone, embedded: pa.Table, items: pa.Table) -> Tensor | None:
    if not backbone.job.kept("fp32"):
        return None
    rows, coarse = backbone.embed(embedded, "int8", _spread(items, SCALE_ITEMS))
    return coarse if rows.num_rows == embedded.num_rows else None


def _alike(exact: Tensor, other: Tensor) -> bool:
    likeness = torch.nn.functional.cosine_similarity(exact.float(), other.float()).mean()
    return bool(likeness >= LEAST_LIKENESS)


def _spread(items: pa.Table, count: int) -> pa.Table:
    """Take so many items, evenly over all of them."""
    places = np.linspace(0, items.num_rows - 1, min(count, items.num_rows)).astype(np.int64)
    return items.take(pa.array(places))
