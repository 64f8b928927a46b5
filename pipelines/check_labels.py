"""Labels that look wrong to heads that have not seen them, fitted on the other folds."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import torch

from lib.evaluation.checks import Checked, Finding, Kind
from lib.evaluation.label_issues import find_label_issues
from lib.evaluation.predictions import make_predictions
from lib.heads.choice import choose_head
from lib.heads.folds import NEVER_HELD_OUT, assign_folds, count_folds
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.evaluate_bundle import calibrate_folds

LEAST_CATEGORIES = 2


def find_wrong_labels(checked: Checked, photos: list[int], taxonomy: Taxonomy) -> list[Finding]:
    """Find labels that are likely wrong, the likeliest first.

    Args:
        checked: the items; those without an embedding, and categories of one photo, are left out.
        photos: n, the first row of each item's copies; no fold sees a copy of another's.
        taxonomy: of the labels.
    """
    labels = checked.items["category_id"].to_pylist()
    of_label: dict[str, set[int]] = defaultdict(set)
    for row in checked.rows:
        of_label[labels[row]].add(photos[row])
    there = [leaf for leaf in taxonomy.leaves if len(of_label[leaf]) > 1]
    places = [place for place, row in enumerate(checked.rows) if labels[row] in there]
    if len(there) < LEAST_CATEGORIES:
        return []
    rows = [checked.rows[place] for place in places]
    targets = [there.index(labels[row]) for row in rows]
    folds = assign_folds([str(photos[row]) for row in rows], targets, count_folds(len(rows)))
    vectors = torch.from_numpy(checked.vectors[places].copy())
    best, *_ = choose_head(vectors, torch.tensor(targets), folds, len(there))
    judged = torch.nonzero(folds != NEVER_HELD_OUT).flatten().tolist()
    probabilities = calibrate_folds(
        best.logits.numpy()[judged], np.array(targets)[judged], folds.numpy()[judged]
    )
    asked = [rows[each] for each in judged]
    predictions = make_predictions(checked.items.take(pa.array(asked)), there, probabilities)
    return [
        Finding(
            kind=Kind.WRONG_LABEL,
            row=asked[issue.row],
            category_id=issue.suggested,
            score=issue.given_probability,
            detail=f"looks like '{taxonomy.path(issue.suggested)}' "
            f"({issue.suggested_probability:.1%}), not like its label "
            f"({issue.given_probability:.1%})",
        )
        for issue in find_label_issues(predictions)
    ]
