"""The words of all items' names, each with the items that have it: a title is found by them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import compute
from scipy.sparse import coo_array

from lib.desk.places import Bools, Ints

# white space and marks of ASCII, of which no word that is looked for has any
BETWEEN: Final = r"[\s!-/:-@\[-`{-~]+"
AT_ONCE: Final = 100_000  # names that are split together


class Words:
    """An index of names by their words and by parts of words.

    Attributes:
        names: large_string [n], of the items by their places.
        length: int32 [n], of the names, in characters.
    """

    def __init__(self, names: pa.ChunkedArray) -> None:
        """Make the index, in seconds for a million names.

        Args:
            names: of the items in the order of their places; null for none.
        """
        self.names = pa.chunked_array(names, pa.large_string()).combine_chunks()
        self.length = compute.utf8_length(self.names).fill_null(0).to_numpy().astype(np.int32)
        items, words = [], []
        for start in range(0, max(len(self.names), 1), AT_ONCE):
            some = compute.utf8_lower(self.names.slice(start, AT_ONCE))
            split = compute.split_pattern_regex(some, BETWEEN)
            items.append(compute.list_parent_indices(split).to_numpy().astype(np.int32) + start)
            words.append(compute.list_flatten(split).dictionary_encode())
        together = pa.chunked_array(words).unify_dictionaries()
        codes = np.concatenate([each.indices.to_numpy() for each in together.chunks])
        self._words = together.chunk(0).dictionary
        shape = (len(self._words), len(self.names))
        every = np.concatenate(items)
        found = coo_array((np.ones(len(codes), np.int8), (codes, every)), shape).tocsr()
        self._items, self._ends = found.indices, found.indptr

    def at(self, places: Ints) -> list[str]:
        """Return the names of the items at some places, all of which have one."""
        found: list[str] = self.names.take(pa.array(places)).to_pylist()
        return found

    def having(self, parts: Sequence[str]) -> Ints:
        """Return the places of the items whose names have all of some parts of words."""
        every = np.ones(len(self.names), bool)
        for part in parts:
            every &= self._with(part)
        return np.flatnonzero(every)

    def sharing(self, parts: Sequence[str], least: int) -> tuple[Ints, Ints]:
        """Return the places of items that share so many of at most 127 parts, and how many each."""
        shared = np.zeros(len(self.names), np.int8)
        for part in parts:
            shared += self._with(part)
        found = np.flatnonzero(shared >= least)
        return found, shared[found].astype(np.int64)

    def _with(self, part: str) -> Bools:
        found = np.zeros(len(self.names), bool)
        has = compute.match_substring(self._words, part).to_numpy(zero_copy_only=False)
        for word in np.flatnonzero(has).tolist():
            found[self._items[self._ends[word] : self._ends[word + 1]]] = True
        return found
