"""The nearest embeddings of given items: exact, by one streaming pass over a store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lib.embeddings.index import PlacedReader, Places
from lib.embeddings.lookup import find_places
from lib.embeddings.store import Embeddings, EmbeddingStore

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Of q queries, the k nearest items each, the nearest first.

    Attributes:
        rows: int64 [q, k], of the items.
        similarity: float32 [q, k], cosine, -1 to 1.
    """

    rows: Places
    similarity: Floats


def find_nearest(
    queries: Embeddings, items: pa.Table, store: EmbeddingStore, count: int
) -> Nearest:
    """Find the items whose embeddings are nearest to given ones.

    Args:
        queries: float16 [q, d].
        items: with the columns uri and etag; those without an embedding are not found.
        store: of the backbone that made the queries; one row group is in memory at a time.
        count: how many; there may be fewer.

    Raises:
        InputError: a file of the store is damaged, or is not of this backbone.
    """
    rows, places = find_places(items, store)
    unique, back = np.unique(places, return_inverse=True)
    order = np.argsort(back, kind="stable")
    rows, back = rows[order], back[order]
    # an image of several items is one candidate until the end
    best = np.empty((len(queries), 0), np.int64)
    similarity = np.empty((len(queries), 0), np.float32)
    wanted = unit_length(queries)
    for start, vectors in _blocks(PlacedReader(store.files, queries.shape[1]).read(unique)):
        near = wanted @ unit_length(vectors).T
        found = np.arange(start, start + len(vectors))
        similarity = np.concatenate([similarity, near], axis=1)
        best = np.concatenate([best, np.broadcast_to(found, near.shape)], axis=1)
        kept = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        similarity = np.take_along_axis(similarity, kept, axis=1)
        best = np.take_along_axis(best, kept, axis=1)
    begins, ends = (np.searchsorted(back, best, side=side) for side in ("left", "right"))
    least = min(count, len(rows))
    found_rows = np.empty((len(queries), least), np.int64)
    values = np.empty((len(queries), least), np.float32)
    for query, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        each = [rows[b:e] for b, e in zip(begin, end, strict=True)]
        sizes = [len(some) for some in each]
        found_rows[query] = np.concatenate([np.empty(0, np.int64), *each])[:least]
        values[query] = np.repeat(similarity[query], sizes)[:least]
    return Nearest(rows=found_rows, similarity=values)


def unit_length(vectors: Embeddings) -> Floats:
    """Scale embeddings [n, d] to length 1, in float32; one of nothing but zeros stays."""
    exact = vectors.astype(np.float32)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    scaled: Floats = exact / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled


def _blocks(parts: Iterator[Embeddings]) -> Iterator[tuple[int, Embeddings]]:
    start = 0
    for part in parts:
        yield start, part
        start += len(part)
