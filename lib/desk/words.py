"""The words of all items' names, each with the items that have it: a title is found by them."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute
from scipy.sparse import coo_array

from lib.desk.places import Bools, Ints

# white space and marks of ASCII, of which no word that is looked for has any
BETWEEN: Final = r"[\s!-/:-@\[-`{-~]+"
AT_ONCE: Final = 100_000  # names that are split together
# the words, where those of each begin among the last, and the items that have them
Index = tuple[pa.Array, np.ndarray[Any, Any], np.ndarray[Any, Any]]


class Words:
    """Names that are found by parts of their words.

    Attributes:
        names: large_string [n], of the items by their places.
        length: int32 [n], of the names, in characters.
    """

    def __init__(self, names: pa.ChunkedArray) -> None:
        """Take the names in. Until `make_index` has ended, each of them is looked through.

        Args:
            names: of the items in the order of their places; null for none.
        """
        self.names = pa.chunked_array(names, pa.large_string()).combine_chunks()
        self.length = compute.utf8_length(self.names).fill_null(0).to_numpy().astype(np.int32)
        self._lowered: pa.Array | None = compute.utf8_lower(self.names)
        self._index: Index | None = None

    def make_index(self) -> None:
        """Index the words, which takes four seconds of a core for a million names of eight."""
        if self._lowered is None:
            return
        items, words = [], []
        for start in range(0, max(len(self.names), 1), AT_ONCE):
            split = compute.split_pattern_regex(self._lowered.slice(start, AT_ONCE), BETWEEN)
            items.append(compute.list_parent_indices(split).to_numpy().astype(np.int32) + start)
            words.append(compute.list_flatten(split).dictionary_encode())
        together = pa.chunked_array(words).unify_dictionaries()
        codes = np.concatenate([each.indices.to_numpy() for each in together.chunks])
        every, of = together.chunk(0).dictionary, np.concatenate(items)
        shape = (len(every), len(self.names))
        found = coo_array((np.ones(len(codes), np.int8), (codes, of)), shape).tocsr()
        self._index = (every, found.indptr, found.indices)
        self._lowered = None

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
        lowered, index = self._lowered, self._index  # in this order: one of them is there
        if index is None:
            return _having(lowered, part)
        found = np.zeros(len(self.names), bool)
        words, ends, items = index
        for word in np.flatnonzero(_having(words, part)).tolist():
            found[items[ends[word] : ends[word + 1]]] = True
        return found


def _having(texts: pa.Array, part: str) -> Bools:
    has = compute.match_substring(texts, part).fill_null(False)  # noqa: FBT003  # as Arrow has it
    found: Bools = has.to_numpy(zero_copy_only=False)
    return found
