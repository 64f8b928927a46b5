"""Finding the nearest embeddings of a store: every file is asked, by its index or one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from usearch.index import Index

from lib.embeddings.cosine import Floats, cosine
from lib.embeddings.index import FILE_ROWS, PlacedReader, Places, read_places
from lib.embeddings.store import EMBEDDING, Embeddings, store_file, to_matrix, width_of
from lib.errors import InputError
from lib.search.build import EXPANSION_SEARCH
from lib.search.local_copies import cache_folder, local_copy
from lib.search.segments import INDEX, disjoint, read_segments, segment_id, store_files
from lib.storage.parquet_reader import ParquetParts
from lib.storage.storage import Storage
from lib.storage.uris import join

LEAST_CANDIDATES, MOST_CANDIDATES = 64, 4_096
FEW = 5_000  # of so few allowed places each is compared
CHUNK = 8_192


@dataclass(frozen=True)
class Part:
    """Files that are asked together: by their index, or, where they have none, row by row."""

    files: Sequence[ParquetParts]
    index: Index | None

    def nearest(self, vector: Embeddings, count: int) -> tuple[Places, Floats]:
        """Return the rows of the nearest, and how like they are; more than these are looked at."""
        if self.index is None:
            return self._one_by_one(vector, count)
        found = self.index.search(vector, min(count, len(self.index)), threads=1)
        return found.keys.astype(np.int64), 1 - found.distances.astype(np.float32)

    def exact(self, vector: Embeddings, rows: Places) -> Floats:
        """Return how like some rows, which ascend, are by exact products."""
        return np.concatenate([cosine(matrix, vector) for matrix in self.vectors(rows)])

    def vectors(self, rows: Places) -> Iterator[Embeddings]:
        """Yield the embeddings of rows, which ascend, float16 [m, d] each."""
        if self.index is None:
            (file,) = self.files
            yield from PlacedReader([file], width_of(file)).read(rows)
            return
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK].astype(np.uint64)
            yield np.asarray(self.index.get(some), np.float16)

    def _one_by_one(self, vector: Embeddings, count: int) -> tuple[Places, Floats]:
        """Compare all rows, and return the best."""
        found = [cosine(matrix, vector) for matrix in self.matrices()]
        scores = np.concatenate([np.empty(0, np.float32), *found])
        rows = np.argsort(-scores, kind="stable")[:count]
        return rows, scores[rows]

    def matrices(self) -> Iterator[Embeddings]:
        """Stream its embeddings, float16 [m, d] each."""
        for file in self.files:
            for number in range(file.metadata.num_row_groups):
                yield to_matrix(file.read(number, [EMBEDDING])[EMBEDDING].combine_chunks())


class Nearest:
    """A store of embeddings as it was when it was opened."""

    def __init__(self, parts: Sequence[Part], dimensions: int, version: str) -> None:
        """Keep the parts, in the order that places count them, and what the files were then."""
        self._parts, self.dimensions, self.version = parts, dimensions, version

    @property
    def without_index(self) -> int:
        """Files that have no index and are compared row by row."""
        return sum(len(part.files) for part in self._parts if part.index is None)

    def read_places(self) -> Iterator[pa.RecordBatch]:
        """Stream uri, etag and place of all embeddings.

        Raises:
            InputError: a file is damaged, or gone.
        """
        return read_places(part.files for part in self._parts)

    def read_vectors(self) -> Iterator[tuple[int, Embeddings]]:
        """Stream all embeddings, float16 [m, d] each, behind the place of the first of them.

        Raises:
            InputError: a file is damaged, or gone.
        """
        for number, part in enumerate(self._parts):
            place = number * FILE_ROWS
            for matrix in part.matrices():
                yield place, matrix
                place += len(matrix)

    def read(self, places: Places) -> Embeddings:
        """Return the embeddings at places, which ascend, float16 [m, d]."""
        nothing = np.empty((0, self.dimensions), np.float16)
        numbers = places // FILE_ROWS
        found = [
            matrix
            for number in np.unique(numbers).tolist()
            for matrix in self._parts[number].vectors(places[numbers == number] % FILE_ROWS)
        ]
        return np.concatenate([nothing, *found])

    def search(
        self, vector: Embeddings, count: int, allowed: Places | None = None
    ) -> tuple[Places, Floats]:
        """Return the places of the nearest, the best first, and their cosines.

        Args:
            vector: float16 [d].
            count: how many, at most.
            allowed: places that count, which ascend, each once; None for all.

        Raises:
            InputError: the vector is of another length, or a file is damaged, or gone.
        """
        if vector.shape != (self.dimensions,):
            raise InputError(
                f"the query has {vector.size} values, the store's embeddings have "
                f"{self.dimensions}: it was made by another backbone"
            )
        if allowed is not None and len(allowed) <= FEW:
            return _best(allowed, self._exact(vector, allowed), count)
        wanted = max(LEAST_CANDIDATES, 2 * count)
        while True:
            places, scores = self._candidates(vector, wanted)
            kept = _among(places, allowed) if allowed is not None else np.ones(len(places), bool)
            all_seen = len(places) < wanted
            if kept.sum() >= count or all_seen or allowed is None:
                places, _ = _best(places[kept], scores[kept], wanted)
                places = np.sort(places)
                return _best(places, self._exact(vector, places), count)
            if wanted >= MOST_CANDIDATES:
                return _best(allowed, self._exact(vector, allowed), count)
            wanted *= 8

    def _candidates(self, vector: Embeddings, count: int) -> tuple[Places, Floats]:
        found = [part.nearest(vector, count) for part in self._parts]
        places = [rows + number * FILE_ROWS for number, (rows, _) in enumerate(found)]
        nothing = np.empty(0, np.int64), np.empty(0, np.float32)
        return _best(
            np.concatenate([nothing[0], *places]),
            np.concatenate([nothing[1], *(scores for _, scores in found)]),
            count,
        )

    def _exact(self, vector: Embeddings, places: Places) -> Floats:
        found = [np.empty(0, np.float32)]
        numbers = places // FILE_ROWS
        for number in np.unique(numbers).tolist():
            rows = places[numbers == number] % FILE_ROWS
            found.append(self._parts[number].exact(vector, rows))
        return np.concatenate(found)


def open_nearest(uri: str, storage: Storage, copies: Path | None = None) -> Nearest:
    """Open a store of embeddings for searching.

    Args:
        uri: of the store of one backbone.
        storage: how to reach it.
        copies: a folder for copies of indexes that are not local; None for the user's cache.

    Raises:
        InputError: there are no embeddings, or they are of different lengths.
    """
    versions = storage.versions(uri)
    names = store_files(versions)
    segments = disjoint(read_segments(uri, versions, storage))
    parts, covered = [], set[str]()
    for segment in segments:
        place = join(uri, f"{segment.segment_id}{INDEX}")
        path = local_copy(place, segment.digest, storage, copies or cache_folder())
        index = _view(path) if path else None
        if index is None or (len(index), index.ndim) != (segment.rows, segment.dimensions):
            continue
        covered |= {each.name for each in segment.files}
        files = [store_file(join(uri, each.name), storage) for each in segment.files]
        parts.append(Part(files, index))
    left = [name for name in names if name not in covered]
    parts += [Part([store_file(join(uri, name), storage)], None) for name in left]
    widths = {width_of(part.files[0]) for part in parts}
    if len(widths) != 1:
        said = "there are no embeddings here" if not widths else "its files are of two backbones"
        raise InputError(f"{uri}: {said}")
    return Nearest(parts, widths.pop(), segment_id(names))


def _view(path: Path) -> Index | None:
    """Map an index into memory; None where it is none."""
    try:
        index = Index.restore(str(path), view=True)
    except (OSError, RuntimeError, ValueError):
        return None
    if index is not None:
        index.expansion_search = EXPANSION_SEARCH  # type: ignore[misc]  # it has a setter
    return index


def _best(places: Places, scores: Floats, count: int) -> tuple[Places, Floats]:
    """Return the best, the first place first among equals."""
    order = np.lexsort((places, -scores))[:count]
    return places[order], scores[order]


def _among(places: Places, allowed: Places) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Say which places are allowed; these ascend."""
    found = np.searchsorted(allowed, places)
    found[found == len(allowed)] = 0
    return np.asarray(allowed[found] == places, np.bool_)
