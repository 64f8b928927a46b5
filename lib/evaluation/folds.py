"""Cross-validation on embeddings: each item is judged by a head that has not seen it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lib.errors import InputError
from lib.hashing import digest_json

Embeddings = np.ndarray[Any, np.dtype[np.float16]]
Logits = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
# fits a head on embeddings [m, d] and columns [m] of so many leaves; returns what gives logits
FitHead = Callable[[Embeddings, Ints, int], Callable[[Embeddings], Logits]]


def assign_folds(item_ids: Sequence[str], targets: Ints, folds: int) -> Ints:
    """Assign items to folds, each category evenly; the same items always to the same ones.

    Args:
        item_ids: n ids.
        targets: int64 [n], columns of their categories.
        folds: how many, at least 2.

    Returns:
        int64 [n], 0 to folds - 1.
    """
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 - takes a second

    order = np.argsort(np.array([digest_json(each) for each in item_ids]), kind="stable")
    seed = int(digest_json(sorted(item_ids))[:8], 16)
    counts = Counter(targets.tolist())
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    # too small categories are dealt in turn, so that at least two folds have an item of each
    large = np.array([counts[each] >= folds for each in targets.tolist()], np.bool_)[order]
    found = np.zeros(len(targets), np.int64)
    if large.any():
        places = order[large]
        for fold, (_, held_out) in enumerate(splitter.split(places, targets[places])):
            found[places[held_out]] = fold
    small = order[~large][np.argsort(targets[order[~large]], kind="stable")]
    found[small] = np.arange(len(small)) % folds
    return found


def check_enough(labels: pa.ChunkedArray, source: str) -> None:
    """Refuse to cross-validate where a category has one item alone.

    Args:
        labels: category ids of the items.
        source: the catalog, for the error.

    Raises:
        InputError: names the categories.
    """
    lonely = sorted(each for each, count in Counter(labels.to_pylist()).items() if count < 2)
    if lonely:
        more = f" and {len(lonely) - 5} more" if len(lonely) > 5 else ""
        raise InputError(
            f"{source}: only one labelled item that can be read of "
            f"{', '.join(repr(each) for each in lonely[:5])}{more}; 'folds' needs two of each "
            "category: label another, or leave 'folds' out"
        )


def out_of_fold(embeddings: Embeddings, targets: Ints, folds: Ints, fit: FitHead) -> Logits:
    """Return logits of each item by a head that was fitted on the other folds.

    Args:
        embeddings: float16 [n, d].
        targets: int64 [n], columns 0 to k - 1; each occurs in two folds at least.
        folds: int64 [n], as `assign_folds` gives them.
        fit: fits a head.

    Returns:
        float32 [n, k].
    """
    leaves = int(targets.max()) + 1
    logits = np.empty((len(targets), leaves), np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        head = fit(embeddings[~held_out], targets[~held_out], leaves)
        logits[held_out] = head(embeddings[held_out])
    return logits
