"""Searching from a desk: titles in its own copy of the table, images in the kept embeddings."""

import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

import duckdb
import numpy as np
from rapidfuzz import fuzz, utils

from lib.desk.label_rows import Row
from lib.desk.local_table import LocalTable
from lib.errors import InputError, ReshelveError
from lib.search.catalog import Asked, CatalogSearch, Hit

MOST = 60
CANDIDATES = 2_000  # titles that are compared word by word
MOST_PIECES = 24  # of a title, where its words are found nowhere


class Searched(Protocol):
    """What pipelines open: a catalog with its embeddings."""

    @property
    def catalog(self) -> CatalogSearch:
        """Its items, which are asked for by their ids alone."""

    def like_picture(self, jpeg: bytes, asked: Asked) -> list[Hit]:
        """Return what looks like a picture."""

    def warm(self) -> None:
        """Load what embeds pictures, for which the first one would wait."""


class Searching:
    """The embeddings, opened when they are first asked for, and again for each newer table."""

    def __init__(self, open_search: Callable[[], Searched]) -> None:
        """Keep how they are opened."""
        self._open = open_search
        self._searched: Searched | None = None
        self._version: int | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._warms: threading.Thread | None = None
        self._indexes: threading.Thread | None = None

    def prepare(self, table: LocalTable) -> None:
        """Begin to make in the background what finds the names of a table that was opened."""
        self._indexes = threading.Thread(target=_index_names, args=[table], daemon=True)
        self._indexes.start()

    def of(self, version: int) -> Searched:
        """Return the embeddings; where a newer version of the table is shown, those before it.

        The newer ones are opened meanwhile, so that nobody waits again.

        Raises:
            InputError: there are none; it says what makes them.
            StoreError: a store does not answer.
        """
        with self._lock:
            if self._searched is None:
                self._searched, self._version = self._open(), version
            elif self._version != version and self._thread is None:
                self._thread = threading.Thread(target=self._reopen, args=[version], daemon=True)
                self._thread.start()
            return self._searched

    def warm(self, version: int) -> None:
        """Begin to open and load in the background what a search by photo needs, once."""
        with self._lock:
            if self._warms is None:
                self._warms = threading.Thread(target=self._warm, args=[version], daemon=True)
                self._warms.start()

    def close(self) -> None:
        """Wait for what is being opened."""
        for thread in (self._thread, self._warms, self._indexes):
            if thread is not None:
                thread.join()

    def _warm(self, version: int) -> None:
        with contextlib.suppress(ReshelveError):  # who searches by a photo is told
            self.of(version).warm()

    def _reopen(self, version: int) -> None:
        searched = self._searched
        with contextlib.suppress(InputError):  # what was there before still answers
            searched = self._open()
        with self._lock:
            self._searched, self._version, self._thread = searched, version, None


def _index_names(table: LocalTable) -> None:
    with contextlib.suppress(duckdb.Error):  # it was closed meanwhile
        table.names().make_index()


def titled(table: LocalTable, title: str, most: int = MOST) -> list[tuple[Row, float]]:
    """Return the items whose names are most like a title, and how alike, 0 to 1, the best first.

    Names that have all words of the title; where there is none, those that share most pieces of
    three letters with it, which finds what is misspelt.

    Args:
        table: whose names are searched.
        title: as a person wrote it.
        most: items.

    Raises:
        InputError: it has no letter or digit.
    """
    words = utils.default_process(title).split()
    if not words:
        raise InputError("the title has no letter or digit to look for")
    names = table.names()
    found = names.having(words)
    found = found[np.lexsort((found, names.length[found]))[:CANDIDATES]]
    if not len(found):
        pieces = _pieces(words)
        found, shared = names.sharing(pieces, (len(pieces) + 1) // 2)
        order = np.lexsort((found, names.length[found], -shared))
        found = found[order[: CANDIDATES // 4]]
    scored = [
        (fuzz.token_set_ratio(title, name, processor=utils.default_process) / 100, len(name), each)
        for name, each in zip(names.at(found), table.places.ids_at(found), strict=True)
    ]
    scored.sort(key=lambda each: (-each[0], each[1], each[2]))
    best = {item_id: score for score, _, item_id in scored[:most]}
    return [(row, best[row["item_id"]]) for row in table.items(list(best))]


def _pieces(words: list[str]) -> list[str]:
    every = (word[at : at + 3] for word in words for at in range(max(len(word) - 2, 1)))
    return list(dict.fromkeys(every))[:MOST_PIECES]
