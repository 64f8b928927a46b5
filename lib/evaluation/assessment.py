"""What predictions of labelled items say of a model: figures with interval and count."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from lib.config.config import Config
from lib.evaluation.answers import Answers, Floats, Ints, answers_of
from lib.evaluation.intervals import Estimate, bootstrap, share
from lib.evaluation.predictions import probabilities_of
from lib.evaluation.reliability import BINS, bin_of, reliability
from lib.evaluation.results import ReliabilityBin
from lib.labels.decisions import Decision
from lib.taxonomy.taxonomy import Taxonomy

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LEAST_PROBABILITY = float(np.finfo(np.float32).eps)  # as scikit-learn's log loss takes it


class Share(Config):
    """So many of so many, with the exact interval of their share."""

    part: int
    whole: int
    share: Estimate


class CategoryFigures(Config):
    """One category: how much of what is said of it, and of what belongs there, is right."""

    category_id: str
    path: str
    precision: Share
    recall: Share
    f1: Estimate


class Level(Config):
    """The items that have a category at a level (1 is the top), and those right down to it."""

    level: int
    right: Share


class Decided(Config):
    """The items that a decision was made of, and those whose label is right.

    The label of a `parent` is right where the truth lies below it, that of a `review` is only a
    suggestion.
    """

    decision: str
    items: Share
    right: Share


class Calibration(Config):
    """How far confidences may be believed; lower is better. None where probabilities lack."""

    error: Estimate  # expected calibration error (Guo et al. 2017)
    log_loss: Estimate | None  # in nats (Good 1952)
    brier: Estimate | None  # summed over categories, 0 to 2 (Brier 1950)
    bins: list[ReliabilityBin]


class Assessment(Config):
    """A model on n labelled items.

    `macro_f1` is the mean F1 of the categories that occur as truth or as prediction;
    `hierarchical_f1` counts the categories above, too, so that a near miss is half right
    (Kiritchenko et al. 2006, "Learning and Evaluation in the Presence of Class Hierarchies").
    """

    items: int
    accuracy: Share
    macro_f1: Estimate
    hierarchical_f1: Estimate
    levels: list[Level]
    categories: list[CategoryFigures]
    unseen: list[str]  # leaves of which no labelled item tells anything
    calibration: Calibration | None
    decisions: list[Decided]


def assess(predictions: pa.Table, taxonomy: Taxonomy, source: str) -> Assessment:
    """Measure predictions against the truth.

    Args:
        predictions: of `PREDICTIONS_SCHEMA`.
        taxonomy: that all of its categories are of.
        source: where they are from, for the error.

    Raises:
        InputError: a category is not in the taxonomy.
    """
    answers = answers_of(predictions, taxonomy, source)
    macro_f1, categories = _categories(answers)
    seen = {each.category_id for each in categories if each.recall.whole}
    return Assessment(
        items=len(answers.truth),
        accuracy=_share(int(answers.right.sum()), len(answers.right)),
        macro_f1=macro_f1,
        hierarchical_f1=_hierarchical_f1(answers),
        levels=_levels(answers),
        categories=categories,
        unseen=[leaf for leaf in taxonomy.leaves if leaf not in seen],
        calibration=_calibration(answers, predictions),
        decisions=_decisions(answers),
    )


def _share(part: int, whole: int) -> Share:
    return Share(part=part, whole=whole, share=share(part, whole))


def _divide(part: Floats, whole: Floats) -> Floats:
    """Divide, where nothing of nothing is not a number."""
    with np.errstate(invalid="ignore"):
        found: Floats = part / whole
    return found


def _categories(answers: Answers) -> tuple[Estimate, list[CategoryFigures]]:
    """Return the macro F1, and the figures of each category that occurs."""
    from scipy.sparse import csr_array, hstack  # noqa: PLC0415 - no report but this one needs it

    found = np.unique(np.concatenate([answers.truth, answers.said]))
    size, count = len(answers.truth), len(found)

    def one_hot(places: Ints, those: Floats) -> "csr_array":
        columns = np.searchsorted(found, places)
        return csr_array((those, (np.arange(size), columns)), shape=(size, count))

    true = one_hot(answers.truth, np.ones(size))
    said = one_hot(answers.said, np.ones(size))
    right = one_hot(answers.truth, answers.right.astype(np.float64))

    def f1(sums: Floats) -> Floats:
        true, said, right = np.split(sums, 3, axis=-1)
        each = _divide(2 * right, true + said)
        there = np.isfinite(each)
        mean = _divide(np.where(there, each, 0).sum(axis=-1), there.sum(axis=-1))
        return np.concatenate([mean[..., None], each], axis=-1)

    macro, *each = bootstrap(hstack([true, said, right], format="csr"), f1)
    counts = [matrix.sum(axis=0).astype(int).tolist() for matrix in (true, said, right)]
    ids, path = answers.lineage.ids, answers.lineage.taxonomy.path
    return macro, [
        CategoryFigures(
            category_id=ids[place],
            path=path(ids[place]),
            precision=_share(n_right, n_said),
            recall=_share(n_right, n_true),
            f1=figure,
        )
        for place, figure, n_true, n_said, n_right in zip(found, each, *counts, strict=True)
    ]


def _hierarchical_f1(answers: Answers) -> Estimate:
    within = answers.lineage.within
    # a true category above the leaves says nothing of what lies below it
    pairs, which = np.unique(
        np.stack([answers.truth, answers.said], axis=1), axis=0, return_inverse=True
    )
    true, said = within[pairs[:, 0]], within[pairs[:, 1]]
    sums = np.stack([(true & said).sum(axis=1), true.sum(axis=1) + said.sum(axis=1)], axis=1)
    columns = sums.astype(np.float64)[which.reshape(-1)]
    (found,) = bootstrap(columns, lambda sums: _divide(2 * sums[..., :1], sums[..., 1:]))
    return found


def _levels(answers: Answers) -> list[Level]:
    levels = answers.lineage.levels
    true, said = levels[answers.truth], levels[answers.said]
    found = []
    for level in range(levels.shape[1]):
        there = true[:, level] >= 0
        right = there & (true[:, level] == said[:, level])
        if there.any():
            found.append(Level(level=level + 1, right=_share(int(right.sum()), int(there.sum()))))
    return found


def _calibration(answers: Answers, predictions: pa.Table) -> Calibration | None:
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    known = np.isfinite(answers.confidence)
    if not known.all() or not len(known):
        return None
    items, right = len(known), answers.right.astype(np.float64)
    index, bins = bin_of(answers.confidence), reliability(answers.confidence, answers.right)
    gaps = csr_array((answers.confidence - right, (np.arange(items), index)), shape=(items, BINS))
    (error,) = bootstrap(
        gaps, lambda sums: np.abs(sums).sum(axis=-1, keepdims=True) / items, centred=True
    )
    log_loss, brier = _proper_scores(predictions)
    return Calibration(error=error, log_loss=log_loss, brier=brier, bins=bins)


def _proper_scores(predictions: pa.Table) -> tuple[Estimate | None, Estimate | None]:
    """Return the log loss and the Brier score, where the probability of each leaf is known."""
    whole = probabilities_of(predictions)
    if whole is None:
        return None, None
    leaves, probabilities = whole
    column = {leaf: at for at, leaf in enumerate(leaves)}
    truth = [column.get(each) for each in predictions["category_id"].to_pylist()]
    if None in truth:
        return None, None  # a true category above the leaves has no column
    of_truth = probabilities[np.arange(len(truth)), np.array(truth, np.int64)].astype(np.float64)
    log_loss = -np.log(np.clip(of_truth, LEAST_PROBABILITY, 1))
    brier = np.square(probabilities.astype(np.float64)).sum(axis=1) - 2 * of_truth + 1
    columns = np.stack([log_loss, brier], axis=1)
    first, second = bootstrap(columns, lambda sums: sums / len(truth))
    return first, second


def _decisions(answers: Answers) -> list[Decided]:
    counts = Counter(each for each in answers.decision if each is not None)
    order = [*Decision, *sorted(counts)]
    made = np.array([each or "" for each in answers.decision])
    return [
        Decided(
            decision=decision,
            items=_share(counts[decision], len(made)),
            right=_share(int(answers.label_right[made == decision].sum()), counts[decision]),
        )
        for decision in sorted(counts, key=order.index)
    ]
