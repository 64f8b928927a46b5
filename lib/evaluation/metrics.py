"""Predictions compared with known labels."""

from collections.abc import Sequence

import numpy as np

from lib.evaluation.results import CategoryScore, Evaluation
from lib.taxonomy.taxonomy import Taxonomy


def evaluate(
    truth: Sequence[str],
    predicted: Sequence[str],
    taxonomy: Taxonomy,
    categories: Sequence[str] | None = None,
) -> Evaluation:
    """Count predictions of leaves against true leaves.

    Args:
        truth: true category ids, n of them.
        predicted: predicted category ids, n of them.
        taxonomy: both are its leaves.
        categories: what both are of, where these are other categories than the leaves.

    Returns:
        Accuracy, the confusion matrix (true rows, predicted columns) and each one's scores;
        precision is 0 for a leaf that is never predicted, recall 0 for one that never occurs.
    """
    leaves = taxonomy.leaves if categories is None else tuple(categories)
    column = {leaf: index for index, leaf in enumerate(leaves)}
    pairs = [column[t] * len(leaves) + column[p] for t, p in zip(truth, predicted, strict=True)]
    counts = np.bincount(np.array(pairs, np.int64), minlength=len(leaves) ** 2)
    confusion = counts.reshape(len(leaves), len(leaves))
    right, true, said = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = right / np.maximum(said, 1), right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(true + said, 1)
    return Evaluation(
        items=len(pairs),
        accuracy=float(right.sum() / max(len(pairs), 1)),
        categories=[
            CategoryScore(
                category_id=leaf,
                path=taxonomy.path(leaf),
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                support=int(true[i]),
            )
            for i, leaf in enumerate(leaves)
        ],
        confusion=confusion.tolist(),
    )
