"""Classifying what a plan has left: units through the pool, their embeddings into the store."""

from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lib.cluster.classify_units import SAMPLE_ITEMS, Pool, classify_sample, classify_units
from lib.cluster.connection import connected
from lib.embeddings.store import EmbeddingStore
from lib.inference.config import UnitJob
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.shards import finished_units, read_embeddings
from pipelines.steps import work_off


def classify_left(
    job: UnitJob, store: EmbeddingStore | None, name: str, figures: UnitFigures
) -> None:
    """Classify the units of a run's plan that have no shard yet, and keep their embeddings.

    Args:
        job: the run, and how its units are classified.
        store: takes the embeddings, where they are kept.
        name: that the embeddings are appended under.
        figures: of the run.

    Raises:
        ReshelveError: a unit failed as a whole; the same command resumes the run.
    """
    plan = Plan(job.run)
    work_off(plan, finished_units(job.run), partial(classify_units, job), figures, connected)
    if store:
        store.append(name, read_embeddings(job.run, plan.units))


def seconds_ahead(job: UnitJob, plan: Path, items: int) -> float:
    """Classify a few items of a local plan; return the seconds that so many would take."""
    with connected():
        pool = Pool(job.engine)
        receipt = classify_sample(job, pool, sample_items(plan))
    return items / receipt.images_per_s / pool.actors


def sample_items(plan: Path) -> pa.Table:
    """Take a few items, spread over a local plan."""
    items = parquet.read_table(plan)
    step = max(items.num_rows // SAMPLE_ITEMS, 1)
    places = pa.array(range(0, items.num_rows, step), pa.int64())
    return items.take(places[:SAMPLE_ITEMS])
