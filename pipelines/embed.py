"""Filling gaps: the images of a catalog that have no embedding yet get one."""

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pyarrow import parquet
from pydantic import Field, ValidationInfo, field_validator

from lib.batches import in_units
from lib.catalog.catalog import CatalogConfig
from lib.catalog.snapshot import freeze
from lib.config.config import Config
from lib.embeddings.store import KEY_SCHEMA, EmbeddingStore
from lib.hashing import digest_json
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig
from lib.models.bundle import read_bundle
from lib.runs.receipt import add_up
from lib.runs.run import Intent, RunId, begin_run, find_run
from lib.runs.shards import finished_units, read_shards
from lib.schemas import ITEM_SCHEMA
from lib.sql import open_duckdb, read_rows, streamed
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from pipelines.classify_missing import Full, classify_left

PLAN = "plan.parquet"
MISSING = """
    SELECT * FROM read_parquet($snapshot) i WHERE NOT EXISTS (
        SELECT 1 FROM stored s WHERE s.uri = i.uri AND s.etag IS NOT DISTINCT FROM i.etag)
    ORDER BY item_id"""


class EmbedRun(Config):
    """The run file of `reshelve embed`."""

    output: str = "runs"
    run_id: RunId | None = None
    catalog: CatalogConfig
    bundle: str
    embeddings: str = "embeddings"
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)
    storage: StorageConfig = StorageConfig()

    @field_validator("reading")
    @classmethod
    def _of_the_catalog(cls, reading: ReadingConfig, info: ValidationInfo) -> ReadingConfig:
        catalog = info.data.get("catalog")  # missing where it is not valid itself
        return reading.within([catalog.store] if catalog else [])


def embed(config: EmbedRun, say: Callable[[str], None]) -> None:
    """Make the embeddings that the store of a bundle's backbone lacks.

    Args:
        config: the run file.
        say: takes each line for the person who waits.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the run stopped; the same command goes on from there.
    """
    storage = Storage(config.storage)
    bundle = read_bundle(config.bundle, storage)
    store = EmbeddingStore(config.embeddings, bundle.backbone_digest, storage)
    run_file = config.model_dump(mode="json", exclude={"storage"})
    source = digest_json([run_file["catalog"], run_file["embeddings"]])
    intent = Intent(
        job="embed",
        fingerprint={
            "backbone": bundle.backbone_digest,
            "preprocessing": bundle.info.preprocessing.digest,
            "snapshot": source,
        },
        run_file=run_file,
        fresh_for=timedelta(hours=24),
    )
    run = find_run(config.output, config.run_id, intent, storage)
    if run and (outcome := run.outcome):
        say(f"{run} has ended before: {outcome['sentence']}")
        return
    if run is None or not storage.exists(run.at(PLAN)):
        with tempfile.TemporaryDirectory() as folder:
            plan = Path(folder) / PLAN
            frozen = freeze(config.catalog, storage, Path(folder) / "snapshot.parquet")
            missing = write_missing(frozen.path, store, plan, config.engine.unit_size)
            run = run or begin_run(config.output, config.run_id, intent, storage)
            storage.upload(plan, run.at(PLAN))
        say(f"{run}: {frozen.items:,} items, {missing:,} without an embedding")
    full = Full(config.engine, config.reading, config.embeddings)
    classify_left(full, run, run.uri, bundle)
    receipts = [r for r, _ in read_shards(run.uri, storage, finished_units(run.uri, storage))]
    labelled, items = sum(r.labelled for r in receipts), sum(r.items for r in receipts)
    sentence = f"{labelled:,} of {items:,} missing embeddings are made, in {store.uri}"
    run.end({"state": "embedded", "sentence": sentence})
    say(sentence)
    for reason, count in add_up(receipts).errors.items():
        say(f"  {reason}: {count:,}")


def write_missing(snapshot: Path, store: EmbeddingStore, plan: Path, unit_size: int) -> int:
    """Write the items that have no embedding, in units, as a plan; give how many."""
    # a plan is read in pieces, which no etag vouches for
    kept = {"compression": "zstd", "write_page_checksum": True}
    with open_duckdb() as connection, parquet.ParquetWriter(plan, ITEM_SCHEMA, **kept) as writer:
        count = 0
        with streamed(connection, "stored", KEY_SCHEMA, store.read_keys()):
            rows = read_rows(connection, MISSING, {"snapshot": str(snapshot)})
            for unit in in_units(rows, unit_size):
                count += unit.num_rows
                writer.write_batch(unit.cast(ITEM_SCHEMA))
    return count
