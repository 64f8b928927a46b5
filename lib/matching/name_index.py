"""Candidates by name: titles that share rare words and grams, in bounded work for each title."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from lib.matching.name_table import Ints, Matrix, NameTable
from lib.matching.weights import Weights

REACH = 8_000  # titles that one title is held against, counted once for each thing they share
BLOCK_ROWS = 1_000

Pairs = tuple[Ints, Ints]  # rows of the left side, and of the right


class NameIndex:
    """The titles of the right side, by what they say.

    A title asks for those that share its rarest words and grams, the rarest first, until it has
    met `REACH` of them; so no title costs more than another, and what half a catalog says is asked
    for only by titles that say nothing rarer.
    """

    def __init__(self, right: NameTable, weights: Weights) -> None:
        """Turn titles by what they say, so that each thing knows its titles."""
        self._weights = weights
        self._postings = _features(right, weights).T.tocsr()
        self._lengths = np.diff(self._postings.indptr).astype(np.int64)

    def nearest(self, left: NameTable, count: int) -> Pairs:
        """Return for each title at most `count` rows of the right side, the most alike.

        Args:
            left: n titles.
            count: at most so many each.

        Returns:
            Rows of the left side, ascending, and of the right.
        """
        found = list(self._blocks(_features(left, self._weights), count))
        none = np.empty(0, np.int64)
        rows, columns = zip(*found, strict=True) if found else ((none,), (none,))
        return np.concatenate(rows), np.concatenate(columns)

    def _blocks(self, features: Matrix, count: int) -> Iterator[Pairs]:
        for start in range(0, features.shape[0], BLOCK_ROWS):
            alike = self._rarest(features[start : start + BLOCK_ROWS]) @ self._postings
            for row, (low, high) in enumerate(
                zip(alike.indptr[:-1].tolist(), alike.indptr[1:].tolist(), strict=True)
            ):
                if low == high:
                    continue
                columns = alike.indices[low:high]
                if len(columns) > count:
                    best = np.argpartition(-alike.data[low:high], count - 1)[:count]
                    columns = columns[best]
                columns = np.sort(columns).astype(np.int64)
                yield np.full(len(columns), start + row, np.int64), columns

    def _rarest(self, features: Matrix) -> Matrix:
        """Keep of each row what few titles of the right side say."""
        rows = np.repeat(np.arange(features.shape[0]), np.diff(features.indptr))
        met = self._lengths[features.indices]
        order = np.lexsort((features.indices, met, rows))
        order = order[met[order] > 0]
        rows, met = rows[order], met[order]
        before = np.cumsum(met)
        starts = np.searchsorted(rows, np.arange(features.shape[0]))
        offsets = np.concatenate([[0], before])[starts]
        kept = order[before - offsets[rows] <= REACH]
        kept = kept[np.argsort(kept)]
        ends = np.searchsorted(kept, features.indptr)
        parts = features.data[kept], features.indices[kept], ends
        return sparse.csr_array(parts, shape=features.shape)


def _features(table: NameTable, weights: Weights) -> Matrix:
    matrices = [weights.weigh_words(table), weights.weigh_grams(table)]
    return sparse.hstack(matrices, format="csr", dtype=np.float32)
