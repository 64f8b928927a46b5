"""Asking a catalog: what looks like this image, or this item, or is called so."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz, process, utils

from lib.embeddings.index import Places
from lib.embeddings.store import Embeddings
from lib.errors import InputError
from lib.labels.decisions import Decision
from lib.search.items import Items
from lib.search.nearest import Nearest
from lib.taxonomy.taxonomy import Taxonomy

LEAST_ALIKE = 0.6  # of titles, where no least score is asked for
Bools = np.ndarray[Any, np.dtype[np.bool_]]


class NoEmbeddingError(InputError):
    """No item with an embedding has the id that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How many hits are wanted, and which items count.

    Attributes:
        top: how many, at most.
        category: an id or a name of the taxonomy; what stands below counts as well. None for all.
        decision: of the labels table, or None for all.
        min_score: the least score; None for any.
    """

    top: int = 20
    category: str | None = None
    decision: str | None = None
    min_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One item that was found.

    Attributes:
        score: of images their cosine, -1 to 1; of titles how alike they are, 0 to 1.
        category_path: of its label, or None.
        confidence: in that, or None.
        decision: as in the labels table.
        name: of the item, or None where none is known.
    """

    item_id: str
    score: float
    uri: str
    category_path: str | None
    confidence: float | None
    decision: str
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The items that count: bool [n], and their places, int64, ascending, each once."""

    rows: Bools
    places: Places


class CatalogSearch:
    """The items of a labels table and their embeddings, as they were when this was made."""

    def __init__(self, items: Items, nearest: Nearest, taxonomy: Taxonomy) -> None:
        """Join what belongs together: places are those of `nearest`."""
        self.items, self.nearest, self._taxonomy = items, nearest, taxonomy
        self._last: tuple[tuple[str | None, str | None], Kept] | None = None

    def __len__(self) -> int:
        """Items that can be found."""
        return len(self.items.places)

    @property
    def without_index(self) -> int:
        """Files of the store that are compared row by row, which takes longer."""
        return self.nearest.without_index

    def like_vector(self, vector: Embeddings, asked: Asked, but: Collection[str] = ()) -> list[Hit]:
        """Return the items whose images are nearest, the best first.

        Args:
            vector: an embedding of the store's backbone, float16 [d].
            asked: how many, and which.
            but: ids of items that are left out.

        Raises:
            InputError: the vector is of another backbone; no such category or decision; or the
                store has changed meanwhile.
        """
        kept = self._kept(asked)
        places, scores = self.nearest.search(vector, asked.top + len(but), kept.places)
        hits = [
            self._hit(row, float(scores[position]))
            for position, row in self.items.at(places)
            if kept.rows[row]
        ]
        least = -1.0 if asked.min_score is None else asked.min_score
        found = [hit for hit in hits if hit.item_id not in but and hit.score >= least]
        return found[: asked.top]

    def like_item(self, item_id: str, asked: Asked) -> list[Hit]:
        """Return the other items whose images are nearest to an item's, the best first.

        Raises:
            NoEmbeddingError: the item has none.
            InputError: as `like_vector`.
        """
        row = self.items.row_of(item_id)
        if row is None:
            raise NoEmbeddingError(
                f"{item_id}: no item of the labels table with an embedding has this id"
            )
        vector = self.nearest.read(self.items.places[row : row + 1])[0]
        return self.like_vector(vector, asked, but=[item_id])

    def titled(self, title: str, asked: Asked) -> list[Hit]:
        """Return the items whose names are most like a title, word by word, the best first.

        Raises:
            InputError: no names are known; no such category or decision; or the title is empty.
        """
        rows = self.items.rows
        if "name" not in rows.column_names or rows["name"].null_count == len(rows):
            raise InputError(
                "no names of items are known here; name a manifest that has them with --names"
            )
        if not utils.default_process(title):
            raise InputError("the title has no letter or digit to look for")
        wanted = np.flatnonzero(self._kept(asked).rows)
        names = rows["name"].take(pa.array(wanted)).to_pylist()
        least = LEAST_ALIKE if asked.min_score is None else asked.min_score
        found = process.extract(
            title,
            names,
            scorer=fuzz.token_set_ratio,
            processor=utils.default_process,
            limit=None,
            score_cutoff=100 * least,
        )
        # names that hold all words of the title score 1: those with the fewest others come first
        found.sort(key=lambda each: (-each[1], len(each[0])))
        return [
            self._hit(int(wanted[place]), score / 100) for _, score, place in found[: asked.top]
        ]

    def _kept(self, asked: Asked) -> "Kept":
        """Say which items count; who asks again most often asks about the same ones."""
        key = asked.category, asked.decision
        if self._last is None or self._last[0] != key:
            rows = self._wanted(asked)
            self._last = key, Kept(rows=rows, places=np.unique(self.items.places[rows]))
        return self._last[1]

    def _wanted(self, asked: Asked) -> Bools:
        """Say which rows count."""
        kept = np.ones(len(self), np.bool_)
        if asked.category is not None:
            below = self._below(asked.category)
            kept &= _one_of(self.items.rows["category_id"], below)
        if asked.decision is not None:
            if asked.decision not in {*Decision}:
                raise InputError(
                    f"decision '{asked.decision}': expected one of {', '.join(Decision)}"
                )
            kept &= _one_of(self.items.rows["decision"], [asked.decision])
        return kept

    def _below(self, named: str) -> list[str]:
        """Return the ids of a category, which is given by id or by name, and of those below it."""
        by_id = self._taxonomy.by_id
        tops = {named} & by_id.keys()
        tops = tops or {c.category_id for c in by_id.values() if c.name.lower() == named.lower()}
        if not tops:
            known = [text for c in by_id.values() for text in (c.category_id, c.name)]
            close = difflib.get_close_matches(named, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else "give an id or a name of it"
            raise InputError(f"category '{named}': the taxonomy has no such category; {hint}")
        return [each for each in by_id if tops & {each, *self._taxonomy.ancestors(each)}]

    def _hit(self, row: int, score: float) -> Hit:
        (values,) = self.items.rows.slice(row, 1).to_pylist()
        values.pop("category_id")
        return Hit(score=score, **values)


def _one_of(column: pa.ChunkedArray, values: Collection[str]) -> Bools:
    found = pc.is_in(column.cast(pa.string()), value_set=pa.array([*values], pa.string()))
    return np.asarray(found.to_numpy(), np.bool_)
