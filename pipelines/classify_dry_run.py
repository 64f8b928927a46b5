"""A classification's dry run: what it would do, how far it could go, and how long it would take."""

import tempfile
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lib.inference.config import SAMPLE_ITEMS, UnitJob
from lib.labels.delta_table import LabelsTable
from lib.runs import files
from lib.runs.cost import hours_ahead
from lib.runs.ending import Ending
from lib.runs.progress import duration, plural, stage
from lib.runs.run import Run
from lib.storage.storage import Storage
from pipelines.classify import Classification, ClassifyRun, Options
from pipelines.classify_missing import amount_of, ray_started
from pipelines.current_bundle import find_bundle
from pipelines.steps import Say


def estimate(config: ClassifyRun, options: Options, say: Say, ending: Ending | None = None) -> None:
    """Say what a classification would do, and how long it would take; write nothing.

    Raises:
        InputError: something given cannot be used.
        GateError: a gate would refuse it, whatever it classifies.
    """
    storage = Storage(config.storage)
    with stage(say, "reading the bundle", short=True):
        bundle = find_bundle(config.bundle, LabelsTable(config.labels_table, storage), storage)
    job = Classification(config, options, bundle, storage, say)
    with tempfile.TemporaryDirectory() as folder:
        night = job.plan(Path(folder))
        plan = Path(folder) / files.PLAN
        units, sample = parquet.read_metadata(plan).num_row_groups, sample_of(plan)
    items = night.diff.planned
    say(f"{night.sentence}\n{amount_of(items, units)}")
    job.say_reach(night)
    ahead: dict[str, float | None] = {"seconds": 0.0}
    if items:
        ahead = _estimate_time(config, job.unit_job(Run("", "", storage)), sample, items, say)
    say("nothing was written")
    if ending:
        counts = {**night.diff.model_dump(), "items": items, "units": units}
        ending.tell("planned", night.sentence, **counts, **ahead)


def seconds_ahead(job: UnitJob, plan: Path, items: int, say: Say) -> float:
    """Classify a few items of a local plan; return the seconds that so many would take."""
    sample = sample_of(plan)
    with ray_started(say), stage(say, _trying(sample)):
        from lib.cluster.pool import Pool, classify_sample  # noqa: PLC0415  # Ray takes a second to import

        pool = Pool(job.engine)
        receipt = classify_sample(job, pool, sample)
    return items / receipt.images_per_s / pool.actors


def sample_of(plan: Path) -> pa.Table:
    """Take a few items, spread over a local plan."""
    items = parquet.read_table(plan)
    step = max(items.num_rows // SAMPLE_ITEMS, 1)
    places = pa.array(range(0, items.num_rows, step), pa.int64())
    return items.take(places[:SAMPLE_ITEMS])


def _trying(sample: pa.Table) -> str:
    return f"loading the model and trying it on {sample.num_rows:,} images"


def _estimate_time(
    config: ClassifyRun, job: UnitJob, sample: pa.Table, items: int, say: Say
) -> dict[str, float | None]:
    """Say how long it would take and what it would cost; return the same."""
    with ray_started(say):
        from lib.cluster.decode_helpers import count_helpers  # noqa: PLC0415  # Ray takes a second to import
        from lib.cluster.node_hours import nodes_by_kind  # noqa: PLC0415  # as above
        from lib.cluster.pool import Pool, classify_sample  # noqa: PLC0415  # as above

        pool = Pool(config.engine)
        with stage(say, _trying(sample)):
            receipt = classify_sample(job, pool, sample)
        rate = pool.actors * receipt.images_per_s
        helping = count_helpers(config.engine, pool.actors * pool.num_cpus, lambda: receipt)
        seconds = items / rate
        hours = hours_ahead(nodes_by_kind(), pool.share_now, seconds)
    actors = plural(pool.actors, "actor")
    say(f"about {duration(seconds)} at {rate:,.0f} images/s with {actors}, by a sample")
    if helping:
        processes = "1 process" if helping == 1 else f"{helping:,} processes"
        say(f"less with the help of {processes} for fetching and decoding")
    if priced := config.prices.sentence(hours, items):
        say(f"estimated cost: {priced}")
    return {"seconds": seconds, "cost": config.prices.cost(hours)}
