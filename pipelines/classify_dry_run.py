"""A classification's dry run: what it would do, how far it could go, and how long it would take."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lib.inference.config import SAMPLE_ITEMS, UnitJob
from lib.inference.where import runs_here
from lib.labels.delta_table import LabelsTable
from lib.runs import files
from lib.runs.cost import hours_ahead
from lib.runs.ending import Ending
from lib.runs.progress import duration, per_second, plural, stage
from lib.runs.receipt import Receipt
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
        trial = _try(job.unit_job(Run("", "", storage)), sample, units, say)
        ahead = _estimate_time(config, trial, items, say)
    say("nothing was written")
    if ending:
        counts = {**night.diff.model_dump(), "items": items, "units": units}
        ending.tell("planned", night.sentence, **counts, **ahead)


def seconds_ahead(job: UnitJob, plan: Path, items: int, say: Say) -> float:
    """Classify a few items of a local plan; return the seconds that so many would take."""
    units = parquet.read_metadata(plan).num_row_groups
    return items / _try(job, sample_of(plan), units, say).images_per_s


def sample_of(plan: Path) -> pa.Table:
    """Take a few items, spread over a local plan."""
    items = parquet.read_table(plan)
    step = max(items.num_rows // SAMPLE_ITEMS, 1)
    places = pa.array(range(0, items.num_rows, step), pa.int64())
    return items.take(places[:SAMPLE_ITEMS])


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What one actor does with a sample, and what would be there beside it.

    Attributes:
        receipt: of the sample.
        actors: that would classify.
        helpers: that would fetch and decode for them.
        nodes: by kind, those that are there now.
        share_now: of the actors, those that there is room for now.
    """

    receipt: Receipt
    actors: int
    nodes: Mapping[str, int]
    helpers: int = 0
    share_now: float = 1.0

    @property
    def images_per_s(self) -> float:
        """Rate of all actors."""
        return self.actors * self.receipt.images_per_s


def _try(job: UnitJob, sample: pa.Table, units: int, say: Say) -> _Trial:
    """Classify a sample where so many units would be classified."""
    trying, engine = f"loading the model and trying it on {sample.num_rows:,} images", job.engine
    if runs_here(engine, units):
        from lib.inference import here  # noqa: PLC0415  # only what is used

        with stage(say, trying):
            receipt = here.classify_sample(job, sample)
        actors = min(len(here.environments(engine)), units)
        return _Trial(receipt=receipt, actors=actors, nodes=here.nodes(engine))
    with ray_started(say):
        from lib.cluster.decode_helpers import count_helpers  # noqa: PLC0415  # Ray takes a second to import
        from lib.cluster.node_hours import nodes_by_kind  # noqa: PLC0415  # as above
        from lib.cluster.pool import Pool, classify_sample  # noqa: PLC0415  # as above

        pool = Pool(engine)
        with stage(say, trying):
            receipt = classify_sample(job, pool, sample)
        return _Trial(
            receipt=receipt,
            actors=pool.actors,
            nodes=nodes_by_kind(),
            helpers=count_helpers(engine, pool.actors * pool.num_cpus, lambda: receipt),
            share_now=pool.share_now,
        )


def _estimate_time(
    config: ClassifyRun, trial: _Trial, items: int, say: Say
) -> dict[str, float | None]:
    """Say how long it would take and what it would cost; return the same."""
    seconds = items / trial.images_per_s
    hours = hours_ahead(trial.nodes, trial.share_now, seconds)
    rate, actors = f"{per_second(trial.images_per_s)} images/s", plural(trial.actors, "actor")
    say(f"about {duration(seconds)} at {rate} with {actors}, by a sample")
    if trial.helpers:
        processes = "1 process" if trial.helpers == 1 else f"{trial.helpers:,} processes"
        say(f"less with the help of {processes} for fetching and decoding")
    if priced := config.prices.sentence(hours, items):
        say(f"estimated cost: {priced}")
    return {"seconds": seconds, "cost": config.prices.cost(hours)}
