"""One side of a match: its items with what they are compared by."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lib.embeddings.store import Embeddings
from lib.matching.name_table import Bools, Ints, NameTable


@dataclass(frozen=True, kw_only=True)
class Side:
    """Items in the order of their ids.

    Attributes:
        items: n rows, with item_id, uri and category_id.
        names: n titles.
        vectors: float16 [m, d], m of them have one; d is 0 where no embedding is compared.
        place: int64 [n], the row of each item among the vectors, or -1.
    """

    items: pa.Table
    names: NameTable
    vectors: Embeddings
    place: Ints

    @property
    def has_image(self) -> Bools:
        """Whether each item has an embedding, bool [n]."""
        return np.asarray(self.place >= 0, np.bool_)

    def take(self, rows: Ints) -> "Side":
        """Return some items, in their order; the vectors are shared."""
        names, place = self.names.take(rows), self.place[rows]
        return Side(items=self.items.take(rows), names=names, vectors=self.vectors, place=place)
