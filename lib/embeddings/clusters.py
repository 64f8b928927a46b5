"""Groups of images that look alike, found without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.embeddings.cosine import Floats, unit_length
from lib.embeddings.store import Embeddings

Ints = np.ndarray[Any, np.dtype[np.int64]]

# numbers of groups that are tried where none is asked for
TRIED = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
FEWEST_EACH = 5  # images a group on average, below which no number of groups is tried
# directions along which images vary most: of the others, much is noise
COMPONENTS = 50
JUDGED = 2_000  # images by which a number of groups is judged
# roots even out embeddings that are mostly small, as they do for heads
POWER = 0.5
STARTS = 4


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Groups of n images.

    Attributes:
        members: rows of each group, the most central first; the largest group comes first.
        distances: float32 [n], from the centre of the own group.
    """

    members: list[Ints]
    distances: Floats


def find_clusters(vectors: Embeddings, count: int | None = None) -> Clusters:
    """Divide images into groups (k-means along principal components).

    Args:
        vectors: float16 [n, d], n at least 1.
        count: of the groups, at most n; None: the one of `TRIED` whose groups are the clearest, by
            their mean silhouette (Rousseeuw, 1987).
    """
    places = _places(vectors)
    if count is None:
        numbers = [each for each in TRIED if each * FEWEST_EACH <= len(vectors)]
        count = _clearest(places, numbers) if numbers else 1
    groups, distances = _divide(places, count)
    members = [np.flatnonzero(groups == each) for each in range(count)]
    ordered = [rows[np.argsort(distances[rows], kind="stable")] for rows in members if len(rows)]
    return Clusters(members=sorted(ordered, key=len, reverse=True), distances=distances)


def _places(vectors: Embeddings) -> Floats:
    """Return images as points, float32 [n, components]."""
    from sklearn.decomposition import PCA  # noqa: PLC0415  # takes a second

    raised = unit_length(np.sign(vectors) * np.abs(vectors) ** np.float16(POWER))
    components = min(COMPONENTS, *raised.shape)
    found: Floats = PCA(components, random_state=0).fit_transform(raised).astype(np.float32)
    return found


def _divide(places: Floats, count: int) -> tuple[Ints, Floats]:
    from sklearn.cluster import KMeans  # noqa: PLC0415  # takes a second

    model = KMeans(count, n_init=STARTS, random_state=0).fit(places)
    apart = places - model.cluster_centers_[model.labels_]
    return model.labels_.astype(np.int64), np.linalg.norm(apart, axis=1).astype(np.float32)


def _clearest(places: Floats, numbers: Sequence[int]) -> int:
    from sklearn.metrics import silhouette_score  # noqa: PLC0415  # takes a second

    some = np.random.default_rng(0).permutation(len(places))[:JUDGED]
    judged = places[some]
    scores = {}
    for count in numbers:
        groups, _ = _divide(judged, min(count, len(judged) - 1))
        if len(np.unique(groups)) > 1:
            scores[count] = float(silhouette_score(judged, groups))
    return max(scores, key=lambda count: scores[count]) if scores else 1
