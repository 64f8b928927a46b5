"""What the report says about predictions against known labels, made ready to be laid out."""

import math
import re
from collections import Counter
from dataclasses import dataclass

from lib.evaluation.results import CategoryScore, Evaluation

MATRIX_LIMIT = 60
"""With more categories than this a confusion matrix cannot be read; its worst pairs can."""

ROWS_LIMIT = 40
"""How many categories a list shows when there are too many to show all."""

_Z_95 = 1.959964
_PAIRS = 15
_CHANCE = 0.05  # that any pair of a category is shown though its mistakes fall anywhere


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Items of one category that were taken for another."""

    true: str
    predicted: str
    items: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the confusion matrix; `strength` (0 to 1) is how strongly it is coloured."""

    items: int
    strength: float
    right: bool
    title: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One true category in the confusion matrix."""

    label: str
    path: str
    cells: list[Cell]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """An evaluation as the page shows it; `matrix` is empty where it would be unreadable."""

    items: int
    accuracy: float
    interval: tuple[float, float] | None
    matrix: list[Row]
    density: str
    pairs: list[Pair]
    categories: list[CategoryScore]
    all_categories: int


def wilson(fraction: float, items: int) -> tuple[float, float] | None:
    """Bound a fraction seen on some items by its 95 % Wilson interval; None where none were."""
    if items < 1 or not math.isfinite(fraction):
        return None
    scale = 1 + _Z_95**2 / items
    centre = (fraction + _Z_95**2 / (2 * items)) / scale
    spread = fraction * (1 - fraction) / items + _Z_95**2 / (4 * items**2)
    reach = _Z_95 * math.sqrt(max(spread, 0.0)) / scale
    return max(min(centre - reach, fraction), 0.0), min(max(centre + reach, fraction), 1.0)


def short_labels(paths: list[str]) -> list[str]:
    """Shorten category paths to their last part, except where two would read the same."""
    leaves = [re.split(r"\s+[>/]\s+|/", path)[-1] or path for path in paths]
    seen = Counter(leaves)
    return [leaf if seen[leaf] == 1 else path for leaf, path in zip(leaves, paths, strict=True)]


def scores(evaluation: Evaluation) -> Scores:
    """Prepare an evaluation for the page."""
    categories = evaluation.categories
    readable = len(categories) <= MATRIX_LIMIT
    shown = (
        categories
        if readable
        else sorted(categories, key=lambda score: (-score.support, score.path))[:ROWS_LIMIT]
    )
    return Scores(
        items=evaluation.items,
        accuracy=evaluation.accuracy,
        interval=wilson(evaluation.accuracy, evaluation.items),
        matrix=_matrix(evaluation) if readable else [],
        density="roomy" if len(categories) <= 12 else "close" if len(categories) <= 30 else "tight",
        pairs=_pairs(evaluation, _PAIRS if readable else ROWS_LIMIT),
        categories=shown,
        all_categories=len(categories),
    )


def _matrix(evaluation: Evaluation) -> list[Row]:
    paths = [score.path for score in evaluation.categories]
    labels = short_labels(paths)
    return [
        Row(
            label=labels[true],
            path=paths[true],
            cells=[
                Cell(
                    items=items,
                    strength=_strength(items / (sum(row) or 1), right=true == predicted),
                    right=true == predicted,
                    title=f"{paths[true]}, labelled {paths[predicted]}: {items:,}",
                )
                for predicted, items in enumerate(row)
            ],
        )
        for true, row in enumerate(evaluation.confusion)
    ]


def _strength(share: float, *, right: bool) -> float:
    """Colour small shares of wrong labels so that they are seen: they are what one looks for."""
    return share if right else math.sqrt(share)


def _pairs(evaluation: Evaluation, limit: int) -> list[Pair]:
    """Return the pairs that are confused more often than if mistakes fell anywhere alike."""
    from scipy.special import bdtrc  # noqa: PLC0415  # slow, and only a page with scores needs it

    paths = [score.path for score in evaluation.categories]
    others = max(len(paths) - 1, 1)
    pairs = [
        Pair(true=paths[true], predicted=paths[predicted], items=items, share=items / sum(row))
        for true, row in enumerate(evaluation.confusion)
        for predicted, items in enumerate(row)
        if items and true != predicted
        if others * bdtrc(items - 1, sum(row) - row[true], 1 / others) < _CHANCE
    ]
    return sorted(pairs, key=lambda pair: (-pair.items, -pair.share, pair.true))[:limit]
