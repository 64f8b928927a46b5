"""Decisions: from calibrated probabilities to a category that is sure enough, or to review."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from lib.taxonomy.taxonomy import Taxonomy

TOP_K = 5
NEVER = math.nextafter(1.0, 2.0)  # a threshold that no confidence reaches


class Decision(StrEnum):
    """What happens with an item; the value stands in the column `decision`."""

    ACCEPT = "accept"
    PARENT = "parent"
    REVIEW = "review"
    PERSON = "person"  # a person has said what it is, or that it is in no category
    ERROR = "error"


KINDS = (Decision.ACCEPT, Decision.PARENT, Decision.REVIEW)  # what a model decides
Floats = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Turns probabilities of leaves into the label columns.

    An item whose best leaf reaches its threshold is accepted. Below it, the nearest category above
    the best leaf whose own probability (the sum of its leaves') reaches that category's threshold
    is taken. Where none does, the best leaf is a suggestion for review.

    Attributes:
        taxonomy: the categories.
        category_ids: its leaves, in the order of the columns.
        threshold: of categories that `thresholds` does not name.
        thresholds: the least confidence of categories, leaves or above, by id.
    """

    taxonomy: Taxonomy
    category_ids: tuple[str, ...]
    threshold: float
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def _names(self) -> list[str]:
        """Ids of the leaves, in the order of the columns, then of the categories above them."""
        return list(dict.fromkeys([*self.category_ids, *self.taxonomy.by_id]))

    @cached_property
    def _named(self) -> tuple[pa.Array, pa.Array]:
        """Ids and paths of `_names`."""
        paths = [self.taxonomy.path(name) for name in self._names]
        return pa.array(self._names, pa.string()), pa.array(paths, pa.string())

    @cached_property
    def least(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Thresholds of the leaves, in the order of the columns, then of the categories above.

        In float32 the one that nothing reaches would be 1.
        """
        return np.array([self.thresholds.get(name, self.threshold) for name in self._names])

    @cached_property
    def levels(self) -> list[Ints]:
        """Places in `least` of what stands above each leaf, nearest first; -1 above the top."""
        place = {name: index for index, name in enumerate(self._names)}
        chains = [[place[a] for a in self.taxonomy.ancestors(c)] for c in self.category_ids]
        depth = max(map(len, chains))
        padded = np.array([chain + [-1] * (depth - len(chain)) for chain in chains], np.int64)
        return list(padded.reshape(len(chains), depth).T)

    def below(self, category: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Say of each leaf whether it is below a category; bool [leaves].

        Args:
            category: its place in `least`.
        """
        found: np.ndarray[Any, np.dtype[np.bool_]] = (np.stack(self.levels) == category).any(axis=0)
        return found

    def decide(self, probabilities: Floats) -> pa.Table:
        """Decide on each item.

        Args:
            probabilities: float32 [n, leaves], columns in the order of `category_ids`.

        Returns:
            Columns category_id, category_path, confidence, top_k and decision, n rows.
        """
        return self.decide_among(*_best(probabilities), probabilities)

    def choose(self, probabilities: Floats) -> list[tuple[str, float, Decision]]:
        """Decide on each item as `decide`, on few: Arrow loads pandas at its first column.

        Args:
            probabilities: float32 [n, leaves], columns in the order of `category_ids`.

        Returns:
            Category id, confidence and decision, n of each.
        """
        found = self._choose(*_best(probabilities), probabilities)
        return [
            (self._names[chosen], confidence, KINDS[kind])
            for chosen, confidence, kind in zip(*(each.tolist() for each in found), strict=True)
        ]

    def decide_among(
        self, order: Ints, values: Floats, probabilities: Floats | None = None
    ) -> pa.Table:
        """Decide on each item by its best leaves.

        Args:
            order: int64 [n, k], columns of the best leaves, the best first; -1 for none.
            values: float32 [n, k], their probabilities.
            probabilities: as `decide`; without them, those of the best leaves are all that is
                known, and a category above them is as sure as the leaves among them that are below.

        Returns:
            As `decide`.
        """
        chosen, confidence, decision = self._choose(order, values, probabilities)
        names, paths = self._named
        return pa.table(
            {
                "category_id": names.take(pa.array(chosen)),
                "category_path": paths.take(pa.array(chosen)),
                "confidence": pa.array(confidence, pa.float32()),
                "top_k": self._top_k(order, values),
                "decision": pa.array(KINDS, pa.string()).take(pa.array(decision)),
            }
        )

    def _choose(
        self, order: Ints, values: Floats, probabilities: Floats | None
    ) -> tuple[Ints, Floats, Ints]:
        """Return places in `_names`, confidences, and places in `KINDS`, of each item."""
        chosen, confidence = order[:, 0].astype(np.int64), values[:, 0].astype(np.float32)
        decision = np.where(confidence >= self.least[chosen], 0, 2)
        for level in self.levels:
            unsure = np.flatnonzero(decision == 2)
            above = level[order[unsure, 0]]
            for category in np.unique(above[above >= 0]):
                rows = unsure[above == category]
                together = self._sum(category, rows, order, values, probabilities)
                sure = together.astype(np.float64) >= self.least[category]
                rows = rows[sure]
                chosen[rows], confidence[rows], decision[rows] = category, together[sure], 1
        return chosen, confidence, decision

    def _sum(
        self, category: int, rows: Ints, order: Ints, values: Floats, probabilities: Floats | None
    ) -> Floats:
        """Add up the leaves below a category, of some rows."""
        below = self.below(category)
        if probabilities is not None:
            together = probabilities[np.ix_(rows, np.flatnonzero(below))].sum(axis=1)
        else:
            known = below[order[rows]] & (order[rows] >= 0)
            together = np.where(known, values[rows], np.float32(0)).sum(axis=1)
        capped: Floats = np.minimum(together, np.float32(1))
        return capped

    def _top_k(self, order: Ints, values: Floats) -> pa.Array:
        there = order >= 0
        names = pa.array(self.category_ids, pa.string()).take(pa.array(order[there]))
        pairs = pa.StructArray.from_arrays(
            [names, pa.array(values[there], pa.float32())], names=["category_id", "probability"]
        )
        ends = np.concatenate([[0], there.sum(axis=1).cumsum()]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), pairs)


def _best(probabilities: Floats) -> tuple[Ints, Floats]:
    """Return the columns of the best leaves, the first among equals first, and their values."""
    k = min(TOP_K, probabilities.shape[1])
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(probabilities, order, axis=1)
