"""Weights and limits from labelled pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from lib.labels.promises import Accept
from lib.matching.bands import Limits, choose_limits
from lib.matching.default_weights import FINAL, NAMES
from lib.matching.linear import Doubles, Linear, fit, folds_of, probability
from lib.matching.name_table import Bools, Ints
from lib.matching.scorer import Evidence, Scorer, final_features

FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What labelled pairs teach.

    Attributes:
        scorer: fitted on all of them.
        limits: of the bands.
        scores: float64 [n], of each pair by weights that have not seen its left item.
    """

    scorer: Scorer
    limits: Limits
    scores: Doubles


def learn(evidence: Evidence, same: Bools, left_ids: Sequence[str], accept: Accept) -> Learned:
    """Fit the weights of names, then of names and images together, and choose limits.

    The second weights are fitted on what the first say of pairs that they have not seen, so that
    the final score is a probability; the limits are chosen on scores that have seen no pair of the
    same left item.

    Args:
        evidence: of n labelled pairs.
        same: bool [n].
        left_ids: of the pairs.
        accept: what the bands promise.
    """
    folds = folds_of(left_ids, FOLDS)
    crossed = _cross(evidence, same, folds)
    features = final_features(evidence, crossed)
    scores = np.empty(len(same))
    for fold in range(FOLDS):
        mine = folds == fold
        scores[mine] = probability(fit(features[~mine], same[~mine], FINAL).logits(features[mine]))
    scorer = Scorer(_fit_names(evidence, same), fit(features, same, FINAL))
    limits = choose_limits(scores, same, evidence.forbids, accept)
    return Learned(scorer=scorer, limits=limits, scores=scores)


def _cross(evidence: Evidence, same: Bools, folds: Ints) -> Doubles:
    logits = np.empty(len(same))
    for fold in range(FOLDS):
        mine = folds == fold
        weights = _fit_names(_take(evidence, ~mine), same[~mine])
        logits[mine] = weights.logits(evidence.names[mine])
    return logits


def _fit_names(evidence: Evidence, same: Bools) -> Linear:
    return fit(evidence.names[evidence.has_names], same[evidence.has_names], NAMES)


def _take(evidence: Evidence, rows: Bools) -> Evidence:
    return Evidence(**{f.name: getattr(evidence, f.name)[rows] for f in fields(Evidence)})
