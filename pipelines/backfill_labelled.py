"""Labelled items of a backfill: where they come from, and which of them have an embedding."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lib.backfill.labelled_items import Labelled, find_examples, map_labels, read_examples
from lib.catalog.catalog import CatalogConfig, labels_of
from lib.catalog.left_out import LeftOut
from lib.catalog.split import read_sides
from lib.config.config import Config
from lib.embeddings.index import streamed_places
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.labels.annotations import Answer
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.delta_table import LabelsTable
from lib.schemas import ITEM_SCHEMA
from lib.sql import open_duckdb, read_rows
from lib.storage.parquet_reader import ParquetParts
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.migration import Migration
from pipelines.answers import answers_after

DELTA_LOG = "_delta_log"  # what lies in a table of answers, and in no CSV
KNOWN = ("item_id", "uri", "etag", "name")


class LabelledConfig(Config):
    """Where labelled items come from; the same catalogs as the old bundle's training."""

    catalog: CatalogConfig | None = None
    validation: CatalogConfig | None = None
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)
    examples: str | None = None  # a CSV, or a table of people's answers


def read_labelled(
    config: LabelledConfig,
    table: LabelsTable,
    migration: Migration,
    storage: Storage,
    left_out: LeftOut,
) -> Labelled:
    """Read all that a head may be fitted on.

    `left_out` learns what lies in the catalogs' places and is no item.

    Raises:
        InputError: a catalog or the examples cannot be used.
    """
    train = held_out = examples = ITEM_SCHEMA.empty_table()
    answers = None
    if config.catalog:
        train, held_out = read_sides(
            config.catalog, config.validation, config.validation_fraction, storage, left_out
        )
        for side in (train, held_out):
            migration.old.check_labels(labels_of(side), config.catalog.uri)
    if config.examples and storage.exists(join(config.examples, DELTA_LOG)):
        examples = _answered(config.examples, table, migration, storage)
        answers = examples.num_rows
    elif config.examples:
        wanted = read_examples(config.examples, migration.new, storage)
        known = pa.concat_tables([train.select(KNOWN), held_out.select(KNOWN)])
        known = pa.concat_tables([known, _of_the_table(wanted["item_id"], table)])
        examples = find_examples(wanted, known, config.examples)
    labelled = map_labels(train, held_out, examples, migration, config.validation_fraction)
    return replace(labelled, answers=answers)


def _answered(uri: str, table: LabelsTable, migration: Migration, storage: Storage) -> pa.Table:
    """Return the items whose answers stand in the new taxonomy, as `find_examples`.

    What was said of another image than the table's is no example, and neither is what becomes of
    an answer that is not certain.
    """
    answers = answers_after(AnnotationsTable(uri, storage).read(), migration)
    leaf = pc.is_in(answers["category_id"], pa.array(migration.new.leaves, pa.string()))
    said = pc.and_(pc.equal(answers["answer"], Answer.CATEGORY), leaf)
    answers = answers.filter(said)
    known = _of_the_table(answers["item_id"], table)
    place = pc.index_in(answers["item_id"], known["item_id"].combine_chunks())
    images = _images(known).take(place)
    answers = answers.filter(pc.fill_null(pc.equal(_images(answers), images), False))  # noqa: FBT003  # Arrow's own
    return find_examples(answers.select(["item_id", "category_id"]), known, uri)


def _images(rows: pa.Table) -> pa.ChunkedArray:
    return pc.coalesce(rows["etag"], rows["uri"])


def _of_the_table(item_ids: pa.ChunkedArray, table: LabelsTable) -> pa.Table:
    """Return the rows of some items of the labels table, columns of `KNOWN`."""
    schema = pa.schema([ITEM_SCHEMA.field(name) for name in KNOWN])
    version, wanted = table.version(), item_ids.combine_chunks()
    batches = table.batches(version, KNOWN) if version is not None else ()
    found = [b.filter(pc.is_in(b["item_id"], wanted)).cast(schema) for b in batches]
    return pa.Table.from_batches(found, schema)


def locate(labelled: Labelled, files: Sequence[ParquetParts]) -> tuple[pa.Table, pa.Table]:
    """Return the items to train on and those held out that have an embedding, with its `place`.

    Args:
        labelled: the items.
        files: of the embedding store, as the places count them.

    Raises:
        InputError: a file of the store cannot be read.
    """
    with open_duckdb() as connection, streamed_places(connection, files, "stored"):
        connection.register("train", labelled.train)
        connection.register("held_out", labelled.held_out)
        query = """
            SELECT i.*, place FROM
                (SELECT *, false AS is_held_out FROM train
                 UNION ALL SELECT *, true FROM held_out) i
            JOIN (SELECT uri AS u, etag AS e, min(place) AS place FROM stored GROUP BY ALL)
            ON uri = u AND etag IS NOT DISTINCT FROM e ORDER BY place, item_id"""
        found = read_rows(connection, query, {}).read_all()
    is_held_out = found["is_held_out"]
    return found.filter(pc.invert(is_held_out)), found.filter(is_held_out)


def refuse_other_backbone(store: EmbeddingStore, folder: str, storage: Storage) -> None:
    """Refuse a folder that holds embeddings, but none of the bundle's backbone.

    Raises:
        InputError: names the backbones that are there.
    """
    mine = store.uri.rsplit("/", 1)[-1]
    others = sorted(storage.names(store.uri.rsplit("/", 1)[0]) - {mine})
    if not store.files and others:
        raise InputError(
            f"{folder}: these are embeddings of another backbone ({others[0][:12]}), the bundle's "
            f"is {mine[:12]}; name its bundle, or make its embeddings with 'reshelve embed'"
        )
