"""Files of embeddings that are asked together: by their index, or one row after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from usearch.index import Index

from lib.embeddings.cosine import Floats, cosines
from lib.embeddings.index import PlacedReader, Places
from lib.embeddings.store import EMBEDDING, Embeddings, to_matrix, width_of
from lib.storage.parquet_reader import ParquetParts

CHUNK = 8_192
Found = tuple[Places, Floats]  # the places of the nearest, the best first, and their cosines
_NOTHING: Found = (np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True)
class Part:
    """Files that are asked together: by their index, or, where they have none, row by row."""

    files: Sequence[ParquetParts]
    index: Index | None

    def nearest(self, vectors: Embeddings, count: int) -> list[Found]:
        """Return the rows nearest each vector, float16 [n, d]; more than these are looked at."""
        if self.index is None:
            return self._one_by_one(vectors, count)
        most = min(count, len(self.index))
        found = [self.index.search(vector, most, threads=1) for vector in vectors]
        return [
            (each.keys.astype(np.int64), 1 - each.distances.astype(np.float32)) for each in found
        ]

    def exact(self, vectors: Embeddings, rows: Places) -> Floats:
        """Return how like n vectors and m rows, which ascend, are by exact products: [n, m]."""
        return np.concatenate([cosines(matrix, vectors) for matrix in self.vectors(rows)], axis=1)

    def vectors(self, rows: Places) -> Iterator[Embeddings]:
        """Yield the embeddings of rows, which ascend, float16 [m, d] each."""
        if self.index is None:
            (file,) = self.files
            yield from PlacedReader([file], width_of(file)).read(rows)
            return
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK].astype(np.uint64)
            yield np.asarray(self.index.get(some), np.float16)

    def _one_by_one(self, vectors: Embeddings, count: int) -> list[Found]:
        """Compare all rows, which are read once, and return the best."""
        found, start = [_NOTHING] * len(vectors), 0
        for matrix in self.matrices():
            rows = np.arange(start, start + len(matrix))
            scores = cosines(matrix, vectors)
            found = [
                best_of([old, (rows, new)], count) for old, new in zip(found, scores, strict=True)
            ]
            start += len(matrix)
        return found

    def matrices(self) -> Iterator[Embeddings]:
        """Stream its embeddings, float16 [m, d] each."""
        for file in self.files:
            for number in range(file.metadata.num_row_groups):
                yield to_matrix(file.read(number, [EMBEDDING])[EMBEDDING].combine_chunks())


def best_of(found: Sequence[Found], count: int) -> Found:
    """Return the best of several."""
    places, scores = zip(*found, strict=True)
    return best(np.concatenate(places), np.concatenate(scores), count)


def best(places: Places, scores: Floats, count: int) -> Found:
    """Return the best, the first place first among equals."""
    order = np.lexsort((places, -scores))[:count]
    return places[order], scores[order]
