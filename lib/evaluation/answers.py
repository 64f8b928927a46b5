"""Predictions beside the truth, as numbers: who is right, and how far off a wrong one is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from lib.errors import InputError
from lib.labels.decisions import Decision
from lib.taxonomy.taxonomy import Taxonomy

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
NONE = -1


@dataclass(frozen=True)
class Lineage:
    """A taxonomy as arrays; a category is its place in `taxonomy.by_id`."""

    taxonomy: Taxonomy

    @cached_property
    def ids(self) -> list[str]:
        """Category ids by place."""
        return list(self.taxonomy.by_id)

    def places(self, category_ids: Sequence[str | None], source: str) -> Ints:
        """Return the places of category ids; -1 for none.

        Raises:
            InputError: the taxonomy has no such category; names `source`.
        """
        place: dict[str | None, int] = {name: at for at, name in enumerate(self.ids)}
        place[None] = NONE
        try:
            return np.array([place[each] for each in category_ids], np.int64)
        except KeyError as error:
            raise InputError(
                f"{source}: category {error} is not in taxonomy version {self.taxonomy.version}; "
                "give the taxonomy that its labels are of"
            ) from None

    @cached_property
    def levels(self) -> Ints:
        """Places of what each category lies in, from the top down to itself; -1 below it."""
        place = {name: at for at, name in enumerate(self.ids)}
        paths = [
            [place[each] for each in (*reversed(self.taxonomy.ancestors(name)), name)]
            for name in self.ids
        ]
        depth = max(map(len, paths))
        return np.array([path + [NONE] * (depth - len(path)) for path in paths], np.int64)

    @cached_property
    def within(self) -> Bools:
        """Bool [categories, categories]: whether the first is the second, or lies below it."""
        found = np.zeros((len(self.ids), len(self.ids)), np.bool_)
        for level in self.levels.T:
            known = np.flatnonzero(level >= 0)
            found[known, level[known]] = True
        return found


@dataclass(frozen=True)
class Answers:
    """n predictions beside n true labels.

    A true label may stand above the leaves, as a person may give it: a prediction below it is
    right.

    Attributes:
        lineage: of the taxonomy that all categories are of.
        truth: int64 [n], places of the true categories.
        predicted: int64 [n], places of the most probable leaves.
        confidence: float64 [n], their probabilities; not a number where unknown.
        label: int64 [n], places of the categories that were made of them, -1 where none was.
        decision: n values of the column `decision`, or None.
    """

    lineage: Lineage
    truth: Ints
    predicted: Ints
    confidence: Floats
    label: Ints
    decision: list[str | None]

    @cached_property
    def right(self) -> Bools:
        """Bool [n]: whether the most probable leaf is right."""
        return self.lineage.within[self.predicted, self.truth]

    @cached_property
    def said(self) -> Ints:
        """int64 [n]: the true category where the prediction is right, else the predicted one."""
        return np.where(self.right, self.truth, self.predicted)

    @cached_property
    def label_right(self) -> Bools:
        """Bool [n]: whether the label is right; a `parent` is where the truth lies below it."""
        within = self.lineage.within
        broader = np.array([each == Decision.PARENT for each in self.decision], np.bool_)
        found = within[self.label, self.truth] | (broader & within[self.truth, self.label])
        return found & (self.label >= 0)


def answers_of(predictions: pa.Table, taxonomy: Taxonomy, source: str) -> Answers:
    """Compare predictions with the truth.

    Args:
        predictions: of `PREDICTIONS_SCHEMA`.
        taxonomy: that all of its categories are of.
        source: where they are from, for the error.

    Raises:
        InputError: a category is not in the taxonomy.
    """
    lineage = Lineage(taxonomy)
    truth, predicted, label = (
        lineage.places(predictions[name].to_pylist(), source)
        for name in ("category_id", "predicted", "label")
    )
    confidence = predictions["confidence"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return Answers(
        lineage, truth, predicted, confidence, label, predictions["decision"].to_pylist()
    )
