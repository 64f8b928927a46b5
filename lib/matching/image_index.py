"""Candidates by image: the nearest embeddings, in memory.

The indexes of a store would not do: a side has what the store has of its items alone, and asks for
a thousand items at once.
"""

import numpy as np

from lib.embeddings.cosine import Floats, unit_length
from lib.embeddings.store import Embeddings
from lib.matching.name_index import Pairs
from lib.matching.name_table import Ints

EXACT = 20_000  # embeddings, up to which all are compared
BLOCK_ROWS = 1_000


class ImageIndex:
    """The embeddings of the right side that are there."""

    def __init__(self, vectors: Embeddings, rows: Ints) -> None:
        """Index embeddings.

        Args:
            vectors: float16 [m, d].
            rows: int64 [m], the row of the right side that each belongs to.
        """
        self._rows = rows
        near = _Near if len(vectors) > EXACT else _Exact
        self._nearest: _Exact | _Near = near(vectors)

    def nearest(self, vectors: Embeddings, rows: Ints, count: int) -> Pairs:
        """Return for each embedding the rows of the right side that are nearest to it.

        Args:
            vectors: float16 [n, d] of the left side.
            rows: int64 [n], the row of the left side that each belongs to.
            count: at most so many each.
        """
        count = min(count, len(self._rows))
        found = [np.empty((0, count), np.int64)]
        for start in range(0, len(vectors) if count else 0, BLOCK_ROWS):
            block = unit_length(vectors[start : start + BLOCK_ROWS])
            found.append(self._nearest(block, count))
        nearest = np.concatenate(found)
        return np.repeat(rows[: len(nearest)], count), self._rows[nearest.ravel()]


class _Exact:
    """Compares with all."""

    def __init__(self, vectors: Embeddings) -> None:
        self._vectors = unit_length(vectors)

    def __call__(self, block: Floats, count: int) -> Ints:
        alike = block @ self._vectors.T
        return np.asarray(np.argpartition(-alike, count - 1, axis=1)[:, :count], np.int64)


class _Near:
    """Compares with those that a graph leads to."""

    def __init__(self, vectors: Embeddings) -> None:
        from lib.search.build import new_index  # noqa: PLC0415  # only where there are many

        self._graph = new_index(vectors.shape[1])
        # one thread: a run that is resumed makes the same graph again
        for start in range(0, len(vectors), BLOCK_ROWS):
            block = vectors[start : start + BLOCK_ROWS]
            self._graph.add(np.arange(start, start + len(block)), block, threads=1)

    def __call__(self, block: Floats, count: int) -> Ints:
        found = self._graph.search(block, count, threads=1)
        return np.asarray(found.keys, np.int64).reshape(len(block), count)
