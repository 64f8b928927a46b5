"""Names in a training: a classifier of titles beside the network's, judged on the same items."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from torch import Tensor

from lib.errors import InputError
from lib.evaluation.held_out import Calibrated, calibrated_on
from lib.heads.folds import NEVER_HELD_OUT
from lib.labels.promises import Accept
from lib.names.classifier import NameWeights, Probabilities, fit_names
from lib.names.config import NamesConfig
from lib.names.encoder_files import find_encoder
from lib.names.features import Floats, Ints, TitleEncoder, TitleFeatures
from lib.names.judged import HeldOut, JudgedNames, judge_names
from lib.names.labeller import Labeller
from lib.names.text import NGrams
from lib.names.text_encoder import TextEncoder
from lib.runs.run import Run
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.train_labelled import Labelled


@dataclass(frozen=True, kw_only=True)
class TrainedNames:
    """A classifier of titles, and what held-out items say of it beside the image."""

    weights: NameWeights
    judged: JudgedNames


@dataclass(frozen=True)
class Titled:
    """Labelled items, and the features of their titles."""

    labelled: Labelled
    features: TitleFeatures


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What is promised of labels, and the taxonomy that they are of."""

    taxonomy: Taxonomy
    accept: Accept


def open_encoder(config: NamesConfig, run: Run) -> TitleEncoder:
    """Open what makes features of titles: the run file's text encoder, or n-grams.

    Raises:
        InputError: the text encoder cannot be used, or is another than when the run was begun.
    """
    if config.encoder is None:
        return NGrams()
    files = find_encoder(config.encoder, run.storage)
    if files.digest != run.record.fingerprint.get("names"):
        raise InputError(
            f"names.encoder: {config.encoder} has changed since {run} was begun; begin a new run"
        )
    return TextEncoder(files, run.storage)


def read_titles(labelled: Labelled, encoder: TitleEncoder) -> Titled | None:
    """Return labelled items with the features of their titles, or None where none has a title."""
    names = labelled.items["name"].to_pylist()
    return Titled(labelled, encoder.encode(names)) if any(names) else None


def train_names(
    titled: Titled | None,
    places: Tensor,
    folds: Tensor | None,
    image: Calibrated,
    promise: Promise,
) -> TrainedNames | None:
    """Fit a classifier of titles, and judge it on the items that judge the network.

    Args:
        titled: the labelled items, as `read_titles` gives them.
        places: int64 [m], of those that judge the network.
        folds: int64 [m], in which fold each was held out, or None where they are held out for good.
        image: what these say of the network alone.
        promise: what is promised, and of which categories.

    Returns:
        None where too few items have a name, or names of one category alone.
    """
    if titled is None:
        return None
    labelled, titles = titled.labelled, titled.features
    targets, leaves = labelled.targets.numpy(), len(promise.taxonomy.leaves)
    train = np.arange(labelled.train.stop)

    def fit(rows: Ints) -> NameWeights | None:
        return fit_names(titles.rows(rows), targets[rows], leaves)

    weights = fit(train)
    if weights is None:
        return None
    judging = places.numpy()
    margins: Floats = np.zeros((len(judging), leaves))
    named = np.zeros(len(judging), np.bool_)
    fold_of = np.full(len(targets), NEVER_HELD_OUT)
    if folds is not None:
        fold_of[judging] = folds.numpy()
    for fold in np.unique(fold_of[judging]):
        mine = fold_of[judging] == fold
        without = weights if folds is None else fit(train[fold_of[train] != fold])
        if without is not None:
            asked = titles.rows(judging[mine])
            margins[mine], named[mine] = without.margins(asked), asked.says
    held_out = HeldOut(
        image=image.probabilities, margins=margins, named=named, targets=targets[judging]
    )
    judged = judge_names(held_out, promise.taxonomy, promise.accept)
    return TrainedNames(weights=weights, judged=judged) if judged else None


def decide(
    image: Probabilities, calibrated: Calibrated, names: TrainedNames | None
) -> tuple[Probabilities, pa.Table]:
    """Return the probabilities that labels of the held-out items follow from, and the labels.

    Args:
        image: float32 [m, leaves], of the image alone.
        calibrated: whose thresholds are those of items without a name.
        names: what names say; None where they are not used.

    Returns:
        float32 [m, leaves], fused where a name says something, and columns of `Decider.decide`.
    """
    if names is None:
        return image, calibrated.decider.decide(image)
    named = names.judged.beside
    fused = named.fused(range(len(image)), image)
    by_image, by_both = calibrated.decider, names.judged.fused.decider
    labeller = Labeller(names=None, weights=named.weights, image=by_image, both=by_both,
                        alone=None)  # fmt: skip
    return fused, labeller.decide(fused, named.says)


def judged_together(
    image: Calibrated, names: TrainedNames | None, targets: Tensor, promise: Promise
) -> Calibrated:
    """Return what held-out items say of all that is used: of both where there is a name.

    Its thresholds are those of items with a name, where names are used.

    Args:
        image: of the image alone.
        names: what names say; None where they are not used.
        targets: int64 [m], true columns.
        promise: what is promised, and of which categories.
    """
    if names is None or not names.judged.used:
        return image
    judged, found = names.judged, image.probabilities.copy()
    found[judged.named] = judged.both
    whole = calibrated_on(found, targets.numpy(), promise.taxonomy, promise.accept)
    return replace(
        whole,
        scaling=image.scaling,
        thresholds=judged.fused.thresholds,
        error_before=image.error_before,
    )
