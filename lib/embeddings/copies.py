"""Pairs of images that are one picture, or nearly: by their embeddings, exact and by cosine."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.embeddings.cosine import Floats, unit_length
from lib.embeddings.store import Embeddings

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

BLOCK = 2_048  # rows whose products with all are in memory at a time


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two images that look the same.

    Attributes:
        first: row of the one that comes first.
        second: row of the other.
        similarity: cosine of their embeddings, at most 1.
    """

    first: int
    second: int
    similarity: float


def near_pairs(
    vectors: Embeddings, least: float, also: Callable[[Ints, Ints, Floats], Bools] | None = None
) -> Iterator[Pair]:
    """Yield the pairs of embeddings whose cosine reaches a limit, the first of each ascending.

    Every row is compared with every other, and none is missed, as a graph of the nearest might:
    seconds for 20,000 rows, minutes for 100,000.

    Args:
        vectors: float16 [n, d].
        least: cosine, -1 to 1.
        also: takes m first rows, second rows and cosines; says of which pairs more is true. None
            for all.
    """
    unit = unit_length(vectors)
    for start in range(0, len(unit), BLOCK):
        near = unit[start : start + BLOCK] @ unit[start:].T
        firsts, seconds = np.nonzero(near >= least)
        later = seconds > firsts  # columns begin at the block's first row, too
        firsts, seconds = firsts[later], seconds[later]
        found = np.minimum(near[firsts, seconds], 1)
        firsts, seconds = firsts + start, seconds + start
        kept = slice(None) if also is None else also(firsts, seconds, found)
        each = (firsts[kept].tolist(), seconds[kept].tolist(), found[kept].tolist())
        for first, second, similarity in zip(*each, strict=True):
            yield Pair(first=first, second=second, similarity=similarity)


def same_groups(keys: Sequence[Hashable | None]) -> list[list[int]]:
    """Return the rows that share a key, two or more each; None is shared with nobody."""
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key is not None:
            rows[key].append(row)
    return [each for each in rows.values() if len(each) > 1]


def join_pairs(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return of each of some rows the first row that pairs connect it with; itself for most."""
    roots = [*range(count)]

    def root(row: int) -> int:
        while roots[row] != row:
            roots[row] = row = roots[roots[row]]
        return row

    for one, other in pairs:
        first, last = sorted((root(one), root(other)))
        roots[last] = first
    return [root(row) for row in range(count)]
