"""The labelled items of a table that look most like given images."""

from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from lib.embeddings.nearest import find_nearest
from lib.embeddings.store import Embeddings, EmbeddingStore
from lib.errors import InputError
from lib.inference.prediction import Neighbour
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle
from lib.storage.storage import Storage

COLUMNS = ("item_id", "uri", "etag", "category_id", "category_path")


@dataclass(frozen=True)
class LabelledItems:
    """The items of a labels table whose label is not for review, and their embeddings.

    Attributes:
        rows: columns `COLUMNS`.
        store: of the bundle's backbone.
    """

    rows: pa.Table
    store: EmbeddingStore

    @classmethod
    def open(cls, table: str, embeddings: str, bundle: Bundle, storage: Storage) -> Self:
        """Read a table's labels.

        Args:
            table: the labels table.
            embeddings: the folder that keeps the embeddings.
            bundle: whose backbone made them.
            storage: how to reach both.

        Raises:
            InputError: there is no such table, or no embedding of the bundle's backbone.
        """
        labels = LabelsTable(table, storage)
        if labels.version() is None:
            raise InputError(f"{table}: there is no labels table here")
        store = EmbeddingStore(embeddings, bundle.backbone_digest, storage)
        if not store.files:
            raise InputError(
                f"{embeddings}: no embeddings of this bundle's backbone "
                f"({bundle.backbone_digest[:12]}) are kept here; `reshelve embed` makes them"
            )
        kept = [Decision.REVIEW, Decision.ERROR]
        batches = [
            batch.filter(pc.invert(pc.is_in(batch["decision"], pa.array(kept, pa.string()))))
            for batch in labels.batches(None, [*COLUMNS, "decision"])
        ]
        if not sum(batch.num_rows for batch in batches):
            raise InputError(f"{table}: no item has a label that is not for review")
        return cls(pa.Table.from_batches(batches).select(COLUMNS), store)

    def nearest(self, embeddings: Embeddings, count: int) -> list[tuple[Neighbour, ...]]:
        """Return the nearest items of each image, the nearest first.

        Args:
            embeddings: of the images, float16 [n, d].
            count: of the items for each image; there may be fewer.

        Raises:
            InputError: no labelled item has an embedding, or a file of the store is damaged.
        """
        found = find_nearest(embeddings, self.rows, self.store, count)
        if len(embeddings) and not found.rows.size:
            raise InputError(
                f"{self.store.uri}: none of the {self.rows.num_rows:,} labelled items has an "
                "embedding here; `reshelve embed` makes those that are missing"
            )
        columns = ["item_id", "uri", "category_id", "category_path"]
        return [
            tuple(
                Neighbour(**row, similarity=float(value))
                for row, value in zip(
                    self.rows.select(columns).take(pa.array(rows)).to_pylist(), values, strict=True
                )
            )
            for rows, values in zip(found.rows, found.similarity, strict=True)
        ]
