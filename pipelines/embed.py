"""Filling gaps: the images of a catalog that have no embedding yet get one."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pyarrow import parquet
from pydantic import Field, field_validator

from lib.batches import in_units
from lib.catalog.catalog import CatalogConfig
from lib.catalog.left_out import left_out_sentence
from lib.catalog.snapshot import freeze
from lib.config.config import Config
from lib.embeddings.store import KEY_SCHEMA, EmbeddingStore
from lib.hashing import digest_json
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig, UnitJob
from lib.models.bundle import Bundle, read_bundle
from lib.runs import files
from lib.runs.ending import Ending
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.progress import counted, stage
from lib.runs.receipt import add_up
from lib.runs.run import Intent, Run, RunFile
from lib.runs.shards import finished_units, read_shards
from lib.schemas import ITEM_SCHEMA
from lib.sql import open_duckdb, read_rows, streamed
from lib.storage.storage import Storage
from pipelines.classify_missing import classify_left, keep_embeddings
from pipelines.steps import Say, apart_from_catalogs, carry_out, within_catalogs

MISSING = """
    SELECT * FROM read_parquet($snapshot) i WHERE NOT EXISTS (
        SELECT 1 FROM stored s WHERE s.uri = i.uri AND s.etag IS NOT DISTINCT FROM i.etag)
    ORDER BY item_id"""


class EmbedRun(RunFile):
    """The run file of `reshelve embed`."""

    catalog: CatalogConfig
    bundle: str
    embeddings: str = "embeddings"
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)

    _within = field_validator("reading")(within_catalogs)
    _apart = field_validator("catalog", "embeddings")(apart_from_catalogs)


def embed(config: EmbedRun, say: Say, ending: Ending | None = None) -> None:
    """Make the embeddings that the store of a bundle's backbone lacks; raises as `carry_out`.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.
    """
    storage = Storage(config.storage)
    with stage(say, "reading the bundle", short=True):
        bundle = read_bundle(config.bundle, storage)
    store = EmbeddingStore(config.embeddings, bundle.backbone_digest, storage)
    job = Embedding(config, bundle, store, storage, say)
    carry_out(job, config, say, ending)


class Missing(Config):
    """A plan as the person who waits reads it; a run that is resumed knows no more of the items."""

    items: int | None = None
    missing: int

    @property
    def sentence(self) -> str:
        """The plan for the person who waits."""
        catalog = "" if self.items is None else f"{self.items:,} items, "
        return f"{catalog}{self.missing:,} without an embedding"


@dataclass(frozen=True)
class Embedding:
    """Filling the gaps of a store, as a job of units."""

    config: EmbedRun
    bundle: Bundle
    store: EmbeddingStore
    storage: Storage
    say: Say

    @property
    def intent(self) -> Intent:
        """The run's fingerprint, and its run file without secrets."""
        run_file = self.config.model_dump(mode="json", exclude={"storage"})
        return Intent(
            job="embed",
            fingerprint={
                "backbone": self.bundle.backbone_digest,
                "preprocessing": self.bundle.info.preprocessing.digest,
                "snapshot": digest_json([run_file["catalog"], run_file["embeddings"]]),
            },
            run_file=run_file,
            fresh_for=timedelta(hours=24),
        )

    def plan(self, folder: Path) -> Missing:
        """As `Job`."""
        with stage(self.say, "reading the catalog") as count:
            frozen = freeze(self.config.catalog, self.storage, folder / files.SNAPSHOT, count=count)
        if sentence := left_out_sentence(frozen.left_out):
            self.say(sentence)
        unit_size = self.config.engine.unit_size
        with stage(self.say, "comparing it with the kept embeddings"):
            missing = write_missing(frozen.path, self.store, folder / files.PLAN, unit_size)
        return Missing(items=frozen.items, missing=missing)

    def write_plan(self, run: Run, _: Missing, folder: Path) -> None:
        """As `Job`."""
        self.storage.upload(folder / files.PLAN, run.at(files.PLAN))

    def read_plan(self, run: Run) -> Missing | None:
        """As `Job`."""
        if not run.exists(files.PLAN):
            return None
        return Missing(missing=Plan(run).items)

    def work(self, run: Run, _: Missing) -> None:
        """As `Job`."""
        plan = Plan(run)
        figures = UnitFigures(run, plan.items, plan.count(finished_units(run)))
        job = UnitJob(
            run=run,
            bundle_uri=self.bundle.uri,
            engine=self.config.engine,
            reading=self.config.reading,
            embeddings=True,
            by_name=False,
        )
        classify_left(job, figures, self.say, "embedding")
        keep_embeddings(self.store, run, run.unique_name, self.say)
        figures.close()

    def end(self, run: Run) -> None:
        """Say how many embeddings were made, and end the run."""
        units = Plan(run).units
        with stage(self.say, "adding up", f"of {len(units):,} units", short=True) as count:
            totals = add_up(receipt for receipt, _ in counted(read_shards(run, units), count))
        sentence = (
            f"{totals.labelled:,} of {totals.items:,} missing embeddings are made, "
            f"in {self.store.uri}"
        )
        counts = {"items": totals.items, "embedded": totals.labelled, "errors": totals.error_count}
        run.end({"state": "embedded", "sentence": sentence, **counts})
        self.say(sentence)
        for reason, images in totals.errors.items():
            self.say(f"  {reason}: {images:,}")


def write_missing(snapshot: Path, store: EmbeddingStore, plan: Path, unit_size: int) -> int:
    """Write the items that have no embedding, in units, as a plan; return how many."""
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
