"""Titles as sparse matrices: one row a title, so that a million pairs are compared at once."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy import sparse

from lib.matching.titles import Title, read_title

BITS = 20  # of a hashed column: two of some ten thousand facts seldom share one
COLUMNS = 2**BITS
LETTERS = 3  # of a gram

Matrix = Any  # scipy's csr_array, float32
Floats = np.ndarray[Any, np.dtype[np.float32]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class NameTable:
    """Titles, read: row i of each matrix is what title i says, float32 [n, 2^20], ones.

    Attributes:
        texts: normalised, n of them; empty where a title says nothing.
        words: each word once, and the whole text as one more.
        grams: counts of three letters in a row.
        models: as `Title`, and so the others.
    """

    texts: list[str]
    words: Matrix
    grams: Matrix
    models: Matrix
    numbers: Matrix
    amounts: Matrix
    dimensions: Matrix
    colours: Matrix
    sizes: Matrix

    def __len__(self) -> int:
        """How many titles."""
        return len(self.texts)

    @property
    def says(self) -> Bools:
        """Whether each title says anything, bool [n]."""
        return np.fromiter(map(bool, self.texts), np.bool_, len(self.texts))

    def take(self, rows: Ints) -> "NameTable":
        """Return some rows, in their order."""
        parts = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "texts"}
        return NameTable(texts=[self.texts[row] for row in rows.tolist()], **parts)


def read_names(names: Iterable[str | None]) -> NameTable:
    """Read titles; a missing one is as an empty one."""
    titles = [read_title(name or "") for name in names]
    texts = [title.text for title in titles]
    facts = {
        name: _ones([getattr(title, name) for title in titles])
        for name in ("models", "numbers", "amounts", "dimensions", "colours", "sizes")
    }
    words = _ones([_with_whole(title) for title in titles])
    return NameTable(texts=texts, words=words, grams=_grams(texts), **facts)


def stack(tables: Sequence[NameTable]) -> NameTable:
    """Put tables one below the other."""
    parts = {
        f.name: sparse.vstack([getattr(each, f.name) for each in tables], format="csr")
        for f in fields(NameTable)
        if f.name != "texts"
    }
    return NameTable(texts=[text for each in tables for text in each.texts], **parts)


def _with_whole(title: Title) -> Iterable[str]:
    # equal titles of only common words have one rare thing in common: all of them
    return (*title.words, f"={title.text}") if title.text else ()


def _column(word: str) -> int:
    return int(zlib.crc32(word.encode(errors="replace")) & (COLUMNS - 1))


def _ones(sets: Sequence[Iterable[str]]) -> Matrix:
    # a title says a thing once, whatever the hash makes of it
    hashed = [sorted({_column(word) for word in each}) for each in sets]
    ends = np.zeros(len(hashed) + 1, np.int32)
    np.cumsum([len(each) for each in hashed], out=ends[1:])
    columns = np.fromiter((c for each in hashed for c in each), np.int32, ends[-1])
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_array((ones, columns, ends), shape=(len(hashed), COLUMNS))


def _grams(texts: Sequence[str]) -> Matrix:
    """Count grams of all texts at once, fifty times faster than one text after the other."""
    blank = " " * (LETTERS - 1)
    lengths = np.fromiter((len(text) + 1 if text else 0 for text in texts), np.int64, len(texts))
    joined = "".join(f" {text}{blank}" for text in texts if text)
    letters = np.frombuffer(joined.encode("utf-32-le", errors="replace"), np.uint32)
    hashed = np.zeros(max(len(letters) - LETTERS + 1, 0), np.uint32)
    for place in range(LETTERS):
        hashed = hashed * np.uint32(0x9E3779B1) + letters[place : place + len(hashed)]
    hashed = (hashed * np.uint32(0x85EBCA6B)) >> np.uint32(32 - BITS)
    # a text's own grams begin at each of its letters and the blank before them
    starts = np.concatenate([[0], np.cumsum((lengths + LETTERS - 1)[lengths > 0])])[:-1]
    own = lengths[lengths > 0]
    places = np.repeat(starts - np.concatenate([[0], np.cumsum(own)])[:-1], own)
    columns = hashed[places + np.arange(len(places))] if len(places) else hashed[:0]
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    counts = np.ones(len(columns), np.float32)
    shape = (len(texts), COLUMNS)
    matrix = sparse.csr_array((counts, columns.astype(np.int32), ends), shape=shape)
    matrix.sum_duplicates()
    return matrix
