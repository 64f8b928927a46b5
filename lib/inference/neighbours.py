"""The labelled items of a table that look most like given images."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.embeddings.cosine import Floats
from lib.embeddings.index import Places
from lib.embeddings.store import Embeddings
from lib.errors import InputError
from lib.inference.prediction import Neighbour
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle
from lib.search.items import Items, open_items
from lib.search.nearest import Nearest
from lib.storage.storage import Storage

SURE = pa.array([Decision.ACCEPT, Decision.PARENT, Decision.PERSON], pa.string())
COLUMNS = ["item_id", "uri", "category_id", "category_path"]


@dataclass(frozen=True)
class LabelledItems:
    """The items of a labels table whose label is not for review, and their embeddings."""

    items: Items
    store: Nearest

    @classmethod
    def open(cls, table: str, embeddings: str, bundle: Bundle, storage: Storage) -> Self:
        """Read a table's labels.

        Args:
            table: the labels table.
            embeddings: the folder that keeps the embeddings.
            bundle: whose backbone made them.
            storage: how to reach both.

        Raises:
            InputError: as `open_items`, or no item that has an embedding has such a label.
        """
        items, store = open_items(LabelsTable(table, storage), embeddings, bundle, storage)
        # what a person has rejected has no category
        sure = pc.and_(
            pc.is_in(items.rows["decision"].cast(pa.string()), SURE),
            pc.is_valid(items.rows["category_id"]),
        )
        items = Items(
            rows=items.rows.filter(sure).select(COLUMNS), places=items.places[sure.to_numpy()]
        )
        if not len(items.places):
            raise InputError(
                f"{table}: no item that has an embedding has a label that is not for review"
            )
        return cls(items, store)

    def nearest(self, embeddings: Embeddings, count: int) -> list[tuple[Neighbour, ...]]:
        """Return the nearest items of each image, the nearest first.

        Args:
            embeddings: of the images, float16 [n, d].
            count: of the items for each image; there may be fewer.

        Raises:
            InputError: a file of the store is damaged, or gone.
        """
        if not len(embeddings):
            return []
        found = self.store.search_all(embeddings, count, np.unique(self.items.places))
        return [self._neighbours(places, scores, count) for places, scores in found]

    def _neighbours(self, places: Places, scores: Floats, count: int) -> tuple[Neighbour, ...]:
        found = [(row, scores[position]) for position, row in self.items.at(places)][:count]
        rows = self.items.rows.take([row for row, _ in found]).to_pylist()
        return tuple(
            Neighbour(**row, similarity=float(score))
            for row, (_, score) in zip(rows, found, strict=True)
        )
