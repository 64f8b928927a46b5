"""What a discovery is given: its run file, the items, and those that fit no category."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from lib.catalog.catalog import CatalogConfig
from lib.catalog.sample import sample_catalog
from lib.cluster.workers_config import WorkersConfig
from lib.drift.unfamiliar import NEIGHBOURS, find_unfamiliar
from lib.embeddings.lookup import look_up
from lib.embeddings.store import Embeddings, EmbeddingStore
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.models.config import ModelConfig
from lib.runs.run import RunFile
from lib.storage.storage import Storage
from pipelines.steps import apart_from_catalogs, within_catalogs

MOST_ITEMS = 20_000  # of a catalog, always the same ones; more say hardly more
MOST_SEEN = 5_000  # labelled items that others are compared with


class DiscoverRun(RunFile):
    """The run file of `reshelve discover`."""

    catalog: CatalogConfig
    groups: int | None = Field(default=None, ge=1)
    labels_table: str | None = None
    bundle: str | None = None
    model: ModelConfig = ModelConfig()
    embeddings: str = "embeddings"
    workers: WorkersConfig = WorkersConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)

    _within = field_validator("reading")(within_catalogs)
    _apart = field_validator("catalog", "embeddings")(apart_from_catalogs)


@dataclass(frozen=True)
class Placed:
    """Items that have an embedding.

    Attributes:
        items: n items, columns of `ITEM_SCHEMA`.
        vectors: float16 [n, d].
    """

    items: pa.Table
    vectors: Embeddings


def read_items(config: DiscoverRun, storage: Storage) -> pa.Table:
    """Read a fixed sample of the catalog; labels in it are not looked at.

    Raises:
        InputError: the catalog cannot be read, or is empty.
    """
    return sample_catalog(config.catalog, storage, MOST_ITEMS)


def place(items: pa.Table, store: EmbeddingStore) -> Placed:
    """Return the items that a store has embeddings of, in their order.

    Raises:
        InputError: it has none.
    """
    rows, vectors = look_up(items, store)
    if not len(rows):
        raise InputError(
            f"{store.uri}: none of the {items.num_rows:,} items has an embedding of this backbone "
            "here; `reshelve embed` makes them for a bundle's"
        )
    order = rows.to_numpy().argsort()
    return Placed(items.take(pa.array(rows.to_numpy()[order])), vectors[order])


def fit_no_category(config: DiscoverRun, placed: Placed, store: EmbeddingStore) -> Placed:
    """Keep the items that are far from all that a labels table has an accepted label for.

    Raises:
        InputError: there is no such table, or it has too few accepted labels with an embedding.
    """
    assert config.labels_table
    table = LabelsTable(config.labels_table, Storage(config.storage))
    if table.version() is None:
        raise InputError(f"{config.labels_table}: there is no labels table here")
    sure = pa.array([Decision.ACCEPT, Decision.PARENT, Decision.PERSON], pa.string())
    batches = table.batches(None, ["item_id", "uri", "etag", "category_id", "decision"])
    labelled = pa.Table.from_batches(
        [
            # what a person has found to be in no category is among what fits none
            batch.filter(
                pc.and_(pc.is_in(batch["decision"], sure), pc.is_valid(batch["category_id"]))
            )
            for batch in batches
        ]
    )
    some = np.random.default_rng(0).permutation(labelled.num_rows)[:MOST_SEEN]
    seen = look_up(labelled.take(pa.array(some)), store)[1]
    if len(seen) <= NEIGHBOURS:
        raise InputError(
            f"{config.labels_table}: only {len(seen)} accepted items have an embedding in "
            f"{store.uri}; what fits no category is told from more than {NEIGHBOURS}"
        )
    others = pc.invert(pc.is_in(placed.items["item_id"], labelled["item_id"].combine_chunks()))
    unsure = Placed(placed.items.filter(others), placed.vectors[others.to_numpy()])
    if not unsure.items.num_rows:
        return unsure
    far = sorted(find_unfamiliar(unsure.vectors, seen))
    return Placed(unsure.items.take(pa.array(far, pa.int64())), unsure.vectors[far])
