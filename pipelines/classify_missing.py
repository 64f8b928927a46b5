"""Rows without an embedding: their images go the way of a night, with the new bundle."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyarrow import parquet

from lib.cluster.classify_units import SAMPLE_ITEMS, Pool, classify_sample, stream_units
from lib.cluster.connection import connected
from lib.embeddings.store import EmbeddingStore, read_shards
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig, UnitJob
from lib.models.bundle import Bundle
from lib.runs.compaction import Part, compact
from lib.runs.plan import Plan
from lib.runs.progress import ItemProgress
from lib.runs.receipt import Totals
from lib.runs.run import Run
from lib.runs.shards import finished_units
from lib.storage.config import StorageConfig
from lib.storage.uris import join


@dataclass(frozen=True)
class Full:
    """How images are classified, and where their embeddings are kept."""

    engine: EngineConfig
    reading: ReadingConfig
    embeddings: str


def unit_job(full: Full, run_id: str, uri: str, bundle: Bundle, storage: StorageConfig) -> UnitJob:
    """Give what all units have in common."""
    engine = full.engine
    return UnitJob(
        run_id=run_id,
        run_uri=uri,
        plan_uri=join(uri, "plan.parquet"),
        bundle_uri=bundle.uri,
        storage=storage,
        reading=full.reading,
        device=engine.device,
        runtime=engine.runtime,
        precision=engine.precision,
        batch_size=engine.batch_size,
        threads=engine.cpus_per_actor,
        embeddings=True,
    )


def classify_left(full: Full, run: Run, uri: str, bundle: Bundle) -> Plan:
    """Classify the units of a plan that have no shard yet, and keep their embeddings.

    Args:
        full: how.
        run: whose name the embeddings are kept under.
        uri: the folder that the plan lies in.
        bundle: what classifies.

    Raises:
        ReshelveError: a unit failed as a whole; the same command goes on from there.
    """
    plan = Plan(join(uri, "plan.parquet"), run.storage)
    done = finished_units(uri, run.storage)
    left = sorted(set(plan.units) - set(done))
    if left:
        job = unit_job(full, run.run_id, uri, bundle, run.storage.config)
        with connected(), ItemProgress(plan.items, plan.count(done), sys.stdout) as progress:
            for receipt in stream_units(job, left, full.engine):
                progress.add(receipt.items, sum(receipt.errors.values()))
    store = EmbeddingStore(full.embeddings, bundle.backbone_digest, run.storage)
    store.append(run.unique_name, read_shards(uri, run.storage, plan.units))
    return plan


def measure_seconds(
    full: Full, bundle: Bundle, plan: Path, items: int, storage: StorageConfig
) -> float:
    """Classify a few items of a local plan; give the seconds that so many would take."""
    sample = parquet.read_table(plan).slice(0, SAMPLE_ITEMS)
    with connected():
        pool = Pool(full.engine)
        receipt = classify_sample(unit_job(full, "", "", bundle, storage), pool, sample)
    return items / receipt.images_per_s / pool.actors


def classify_rows(
    full: Full, run: Run, bundle: Bundle, first: int, say: Callable[[str], None]
) -> tuple[list[Part], Totals]:
    """Classify the rows of a backfill that have no embedding; their parts follow the others.

    Args:
        full: how.
        run: the backfill's.
        bundle: the new one.
        first: number of the first part.
        say: takes each line for the person who waits.
    """
    uri = run.at("pixels")
    say("rows without an embedding are classified from their images")
    plan = classify_left(full, run, uri, bundle)
    return compact(uri, run.storage, plan, into=run.uri, first=first)
