"""Accuracy by any column of a manifest, and the slices that are worse than the rest."""

from collections.abc import Mapping, Sequence

import numpy as np

from lib.config.config import Config
from lib.evaluation.answers import Bools
from lib.evaluation.intervals import Estimate, share
from lib.evaluation.paired import SIGNIFICANT


class Slice(Config):
    """The items that have one value of a column.

    `p_value` is of the exact test of Fisher that they are no worse than all other items, corrected
    for the number of slices; `worse` where it is below 0.05.
    """

    column: str
    value: str | None  # None: the items without a value
    items: int
    right: int
    accuracy: Estimate
    p_value: float
    worse: bool


def slice_by(columns: Mapping[str, Sequence[str | None]], right: Bools) -> list[Slice]:
    """Measure each value of each column.

    With many slices some are worse by chance: of those that are called worse, one in twenty on
    average is (Benjamini and Hochberg 1995, over all slices of all columns).

    Args:
        columns: by name, n values each.
        right: bool [n], where the model is right.

    Returns:
        Slices by column, the largest first.
    """
    from scipy.stats import false_discovery_control, hypergeom  # noqa: PLC0415 - half a second

    all_right, all_items = int(right.sum()), len(right)
    counted: list[tuple[str, str | None, int, int]] = []
    for name, values in columns.items():
        by_value: dict[str | None, list[int]] = {}
        for at, value in enumerate(values):
            by_value.setdefault(value, []).append(at)
        ordered = sorted(
            by_value.items(), key=lambda each: (-len(each[1]), each[0] is None, each[0] or "")
        )
        counted += [
            (name, value, len(places), int(right[np.array(places)].sum()))
            for value, places in ordered
        ]
    if not counted:
        return []
    items, rights = np.array([each[2:] for each in counted]).T
    # the one-sided test of Fisher: so few right or fewer, were they drawn from all items
    p_values = hypergeom.cdf(rights, all_items, all_right, items)
    corrected = false_discovery_control(p_values).tolist()
    return [
        Slice(
            column=name,
            value=value,
            items=n_items,
            right=n_right,
            accuracy=share(n_right, n_items),
            p_value=p_value,
            worse=p_value < SIGNIFICANT,
        )
        for (name, value, n_items, n_right), p_value in zip(counted, corrected, strict=True)
    ]
