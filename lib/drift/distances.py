"""How far two samples are apart, by their photos, their confidences and their categories.

Each distance is a share from 0 to 1: at least so many of the items would have to be others for the
two to be alike. What chance may have done is taken off, so it is 0 where nothing sure is left.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lib.drift.sample import Floats
from lib.embeddings.store import Embeddings

CHANCE = 0.01  # how often, of two samples of the same items, a distance is above 0
Z_ONE_SIDED = 2.326  # standard errors that a normal variable exceeds that often
FOLDS = 5
# of the logistic regression
INVERSE_PENALTY = 1e-2
# along which photos vary most: of the others, much is how a device and a precision round
COMPONENTS = 64


def embedding_distance(ours: Embeddings, theirs: Embeddings) -> float:
    """Say how well a linear classifier tells two sets of photos apart that it has not seen.

    A classifier two-sample test (Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests,
    2017): 2 AUC - 1 of held-out folds, along the principal components of the second set. Where a
    share of one set is plainly different and the rest is not, it is that share.

    Args:
        ours: float16 [n, d].
        theirs: float16 [m, d].
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415  # takes a second
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    count = min(COMPONENTS, len(theirs) - 1, theirs.shape[1])
    components = PCA(count, svd_solver="full").fit(theirs.astype(np.float32))
    values = components.transform(np.concatenate([ours, theirs]).astype(np.float32))
    is_ours = np.repeat([True, False], [len(ours), len(theirs)])
    scores = np.empty(len(values))
    # not cross_val_predict, whose joblib takes no filter of warnings but the plain kind
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(values, is_ours):
        regression = LogisticRegression(C=INVERSE_PENALTY, max_iter=200)
        model = make_pipeline(StandardScaler(), regression).fit(values[train], is_ours[train])
        scores[test] = model.decision_function(values[test])
    auc = float(roc_auc_score(is_ours, scores))
    return _sure_part(2 * auc - 1, 2 * _error_of_auc(auc, len(ours), len(theirs)))


def confidence_distance(ours: Floats, theirs: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of confidences, float32 [n] and [m]."""
    from scipy.stats import ks_2samp  # noqa: PLC0415  # takes half a second

    apart = float(ks_2samp(ours, theirs, method="asymp").statistic)
    count = len(ours) * len(theirs) / (len(ours) + len(theirs))
    return max(apart - math.sqrt(-math.log(CHANCE / 2) / (2 * count)), 0.0)


def mix_distance(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Return the total variation distance of the shares of categories, of n and m items.

    One half of the items says which categories have grown, the other by how much, and the reverse:
    so a thousand rare categories whose shares differ by chance alone add nothing.
    """
    halves = [(_shares(ours[start::2]), _shares(theirs[start::2])) for start in (0, 1)]
    apart, variance = 0.0, 0.0
    for (then, before), (now, base) in (halves, halves[::-1]):
        grown = [each for each, value in then.items() if value > before.get(each, 0.0)]
        of_ours, of_theirs = (sum(s.get(each, 0.0) for each in grown) for s in (now, base))
        apart += (of_ours - of_theirs) / 2
        variance += of_ours * (1 - of_ours) / len(ours) / 2
        variance += of_theirs * (1 - of_theirs) / len(theirs) / 2
    return _sure_part(apart, math.sqrt(variance))


def _error_of_auc(auc: float, n: int, m: int) -> float:
    """Return the standard error of an area under the ROC curve (Hanley and McNeil, 1982)."""
    above, below = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n - 1) * (above - auc**2) + (m - 1) * (below - auc**2)
    return math.sqrt(variance / (n * m))


def _sure_part(apart: float, error: float) -> float:
    """Take off what chance may have done.

    The folds of a sample err together, as if there were half as many items.
    """
    return max(apart - Z_ONE_SIDED * math.sqrt(2) * error, 0.0)


def _shares(category_ids: Sequence[str]) -> dict[str, float]:
    counts = Counter(category_ids)
    return {each: count / len(category_ids) for each, count in counts.items()}
