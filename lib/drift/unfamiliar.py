"""Photos that are far from all that a model was trained on."""

from collections.abc import Sequence

import numpy as np

from lib.embeddings.store import Embeddings

NEIGHBOURS = 5
WRONGLY_NAMED = 0.1  # the share of the photos found that may be familiar after all


def find_unfamiliar(photos: Embeddings, seen: Embeddings) -> Sequence[int]:
    """Find the photos that are farther from those seen than these are from each other.

    The distance is the cosine distance to the nearest few. How many of the seen photos are as far
    from the rest gives its conformal p-value, and the limit follows from all of them (Bates et al.,
    Testing for outliers with conformal p-values, 2023), so that by chance there is most often none.

    Args:
        photos: float16 [n, d].
        seen: float16 [m, d], m larger than a few.

    Returns:
        Places in `photos`, the farthest first.
    """
    from scipy.stats import false_discovery_control  # noqa: PLC0415  # takes half a second
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

    index = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine", algorithm="brute")
    index.fit(seen.astype(np.float32))
    distances = index.kneighbors(photos.astype(np.float32))[0].mean(axis=1)
    usual = np.sort(index.kneighbors()[0].mean(axis=1))  # each without itself
    as_far = len(usual) - np.searchsorted(usual, distances)
    chances = false_discovery_control((1 + as_far) / (1 + len(usual)))
    order = np.argsort(-distances, kind="stable")
    found: list[int] = order[chances[order] <= WRONGLY_NAMED].tolist()
    return found
