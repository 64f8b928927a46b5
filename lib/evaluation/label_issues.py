"""Labels that are likely wrong, found by what a model says of items that it has not seen."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lib.evaluation.predictions import probabilities_of

# Measured on photos of clothing of which some labels were changed at random, 10 to 300 a category:
# of the labels that a calibrated model gives less than this, nine of ten were changed ones, and
# where none was changed they were 1.2 to 2 % of all.
VERY_UNLIKELY = 0.02
LEAST_ITEMS = 3  # fewer have no joint distribution of given and true labels


@dataclass(frozen=True, kw_only=True)
class LabelIssue:
    """A label that is likely wrong.

    Attributes:
        row: of the predictions.
        item_id: of the item.
        uri: of its image.
        given: category id of its label.
        suggested: category id that the model says instead.
        given_probability: of the first, 0 to 1.
        suggested_probability: of the second.
    """

    row: int
    item_id: str
    uri: str
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float

    @property
    def is_very_likely(self) -> bool:
        """Whether the label is one of those of which nine in ten are wrong."""
        return self.given_probability < VERY_UNLIKELY


def find_label_issues(predictions: pa.Table) -> list[LabelIssue]:
    """Find labels that are likely wrong, the likeliest first.

    Confident learning (Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty
    in Dataset Labels", https://arxiv.org/abs/1911.00068) estimates how many labels are wrong; of
    the items that the model calls otherwise, as many are taken whose label it finds least probable.

    Args:
        predictions: of `PREDICTIONS_SCHEMA`, with the calibrated probabilities of items that the
            model has not seen. Items whose label stands above the leaves are left out.

    Returns:
        Nothing where the probabilities of all leaves are not known, or for fewer than 3 items.
    """
    whole = probabilities_of(predictions)
    if whole is None:
        return []
    leaves, probabilities = whole
    column = {leaf: at for at, leaf in enumerate(leaves)}
    labels = predictions["category_id"].to_pylist()
    found = np.array([column.get(each, -1) for each in labels], np.int64)
    rows = np.flatnonzero((found >= 0) & np.isfinite(probabilities).all(axis=1))
    if len(rows) < LEAST_ITEMS or len(leaves) < 2:
        return []
    given, known = found[rows], probabilities[rows].astype(np.float64)
    from cleanlab.filter import find_label_issues as ranked  # noqa: PLC0415 - it takes seconds

    # one process: the labels of a hundred thousand items take a second
    places = ranked(
        given,
        known,
        filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    best = known.argmax(axis=1)
    issues = []
    for place in np.asarray(places, np.int64).tolist():
        if best[place] == given[place]:
            continue
        row = int(rows[place])
        issues.append(
            LabelIssue(
                row=row,
                item_id=predictions["item_id"][row].as_py(),
                uri=predictions["uri"][row].as_py(),
                given=leaves[given[place]],
                suggested=leaves[best[place]],
                given_probability=float(known[place, given[place]]),
                suggested_probability=float(known[place, best[place]]),
            )
        )
    return issues
