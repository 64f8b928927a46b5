"""Finding the nearest embeddings of a store: every file is asked, by its index or one by one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from usearch.index import Index

from lib.embeddings.cosine import Floats
from lib.embeddings.index import FILE_ROWS, Places, read_places
from lib.embeddings.store import Embeddings, store_file, width_of
from lib.errors import InputError
from lib.search.build import EXPANSION_SEARCH
from lib.search.local_copies import copies_folder, local_copy
from lib.search.part import Found, Part, best, best_of
from lib.search.segments import INDEX, disjoint, read_segments, segment_id, store_files
from lib.storage.storage import Storage
from lib.storage.uris import join

LEAST_CANDIDATES, MOST_CANDIDATES = 64, 4_096
FEW = 5_000  # of so few allowed places each is compared


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

    def search(self, vector: Embeddings, count: int, allowed: Places | None = None) -> Found:
        """Return what is nearest a vector, float16 [d]; as `search_all`."""
        (found,) = self.search_all(vector[None], count, allowed)
        return found

    def search_all(
        self, vectors: Embeddings, count: int, allowed: Places | None = None
    ) -> list[Found]:
        """Return what is nearest each vector; a file without an index is read once for all.

        Args:
            vectors: float16 [n, d].
            count: how many, at most.
            allowed: places that count, which ascend, each once; None for all.

        Raises:
            InputError: the vectors are of another length, or a file is damaged, or gone.
        """
        if vectors.shape[1:] != (self.dimensions,):
            raise InputError(
                f"the query has {vectors[0].size} values, the store's embeddings have "
                f"{self.dimensions}: it was made by another backbone"
            )
        if allowed is not None and len(allowed) <= FEW:
            return [best(allowed, each, count) for each in self._exact(vectors, allowed)]
        found: dict[int, Found] = {}
        left, wanted = list(range(len(vectors))), max(LEAST_CANDIDATES, 2 * count)
        while left:
            chosen: dict[int, Places] = {}
            for row, (places, scores) in zip(
                left, self._candidates(vectors[left], wanted), strict=True
            ):
                kept = _among(places, allowed)
                all_seen = len(places) < wanted
                if kept.sum() >= count or all_seen or allowed is None:
                    chosen[row] = np.sort(best(places[kept], scores[kept], wanted)[0])
                elif wanted >= MOST_CANDIDATES:
                    (exact,) = self._exact(vectors[row : row + 1], allowed)
                    found[row] = best(allowed, exact, count)
            found |= self._settle(vectors, chosen, count)
            left = [row for row in left if row not in found]
            wanted *= 8
        return [found[row] for row in range(len(vectors))]

    def _settle(
        self, vectors: Embeddings, chosen: dict[int, Places], count: int
    ) -> dict[int, Found]:
        """Return the best of each vector's candidates, by exact products; each is read once."""
        if not chosen:
            return {}
        every = np.unique(np.concatenate([*chosen.values()]))
        exact = self._exact(vectors[[*chosen]], every)
        return {
            row: best(places, scores[np.searchsorted(every, places)], count)
            for (row, places), scores in zip(chosen.items(), exact, strict=True)
        }

    def _candidates(self, vectors: Embeddings, count: int) -> list[Found]:
        by_part = [part.nearest(vectors, count) for part in self._parts]
        return [
            best_of(
                [
                    (rows + number * FILE_ROWS, scores)
                    for number, (rows, scores) in enumerate(of_one)
                ],
                count,
            )
            for of_one in zip(*by_part, strict=True)
        ]

    def _exact(self, vectors: Embeddings, places: Places) -> Floats:
        """Return how like n vectors and the embeddings at m places are: [n, m]."""
        found = [np.empty((len(vectors), 0), np.float32)]
        numbers = places // FILE_ROWS
        for number in np.unique(numbers).tolist():
            rows = places[numbers == number] % FILE_ROWS
            found.append(self._parts[number].exact(vectors, rows))
        return np.concatenate(found, axis=1)


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
        path = local_copy(place, segment.digest, storage, copies or copies_folder())
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


def _among(places: Places, allowed: Places | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Say which places are allowed; these ascend, and None are all."""
    if allowed is None:
        return np.ones(len(places), np.bool_)
    found = np.searchsorted(allowed, places)
    found[found == len(allowed)] = 0
    return np.asarray(allowed[found] == places, np.bool_)
