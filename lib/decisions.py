"""Decisions: from calibrated probabilities to a category that is sure enough, or to review."""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from lib.taxonomy import Taxonomy

TOP_K = 5
NEVER = math.nextafter(1.0, 2.0)  # a threshold that no confidence reaches


class Decision(StrEnum):
    """What happens with an item; the value stands in the column `decision`."""

    ACCEPT = "accept"
    PARENT = "parent"
    REVIEW = "review"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Turns probabilities of leaves into the label columns.

    An item whose best leaf reaches `threshold` is accepted. Below it, the nearest category above
    the best leaf whose own probability (the sum of its leaves') reaches the threshold is taken.
    Where none does, the best leaf is a suggestion for review.
    """

    taxonomy: Taxonomy
    category_ids: tuple[str, ...]
    threshold: float

    @cached_property
    def _chains(self) -> list[list[str]]:
        return [[leaf, *self.taxonomy.ancestors(leaf)] for leaf in self.category_ids]

    @cached_property
    def _columns_below(self) -> dict[str, list[int]]:
        below: dict[str, list[int]] = {}
        for column, chain in enumerate(self._chains):
            for category_id in chain:
                below.setdefault(category_id, []).append(column)
        return below

    def decide(self, probabilities: np.ndarray[Any, np.dtype[np.float32]]) -> pa.Table:
        """Decide on each item.

        Args:
            probabilities: float32 [n, leaves], columns in the order of `category_ids`.

        Returns:
            Columns category_id, category_path, confidence, top_k and decision, n rows.
        """
        best = probabilities.argmax(axis=1)
        chosen = [
            self._choose(row, int(column)) for row, column in zip(probabilities, best, strict=True)
        ]
        paths = {each: self.taxonomy.path(each) for each in {category for category, _, _ in chosen}}
        return pa.table(
            {
                "category_id": pa.array([c for c, _, _ in chosen], pa.string()),
                "category_path": pa.array([paths[c] for c, _, _ in chosen], pa.string()),
                "confidence": pa.array([p for _, p, _ in chosen], pa.float32()),
                "top_k": self._top_k(probabilities),
                "decision": pa.array([d for _, _, d in chosen], pa.string()),
            }
        )

    def _choose(
        self, row: np.ndarray[Any, np.dtype[np.float32]], column: int
    ) -> tuple[str, float, str]:
        leaf = self.category_ids[column]
        confidence = float(row[column])
        if confidence >= self.threshold:
            return leaf, confidence, Decision.ACCEPT
        for parent in self._chains[column][1:]:
            together = min(float(row[self._columns_below[parent]].sum()), 1.0)
            if together >= self.threshold:
                return parent, together, Decision.PARENT
        return leaf, confidence, Decision.REVIEW

    def _top_k(self, probabilities: np.ndarray[Any, np.dtype[np.float32]]) -> pa.Array:
        count, leaves = probabilities.shape
        k = min(TOP_K, leaves)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        names = pa.array(self.category_ids, pa.string()).take(pa.array(order.ravel()))
        values = np.take_along_axis(probabilities, order, axis=1).ravel()
        pairs = pa.StructArray.from_arrays(
            [names, pa.array(values, pa.float32())], names=["category_id", "probability"]
        )
        return pa.ListArray.from_arrays(pa.array(range(0, count * k + 1, k), pa.int32()), pairs)
