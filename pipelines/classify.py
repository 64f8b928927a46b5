"""Classification, step by step: a catalog in, labelled shards and a published table out."""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from pydantic import Field, ValidationInfo, field_validator

from lib.catalog.catalog import CatalogConfig
from lib.catalog.diff import NightConfig
from lib.cluster.classify_units import SAMPLE_ITEMS, Pool, classify_sample, stream_units
from lib.cluster.connection import connected
from lib.cluster.decode_helpers import count_helpers
from lib.cluster.monitor import UnitWatch
from lib.cluster.node_hours import nodes_by_kind
from lib.config.config import Config
from lib.embeddings.store import EmbeddingStore, read_shards
from lib.hashing import digest_json
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig, UnitJob
from lib.labels.gates import GatesConfig
from lib.models.bundle import Bundle, read_bundle
from lib.runs.compaction import compact
from lib.runs.cost import PricesConfig, hours_ahead
from lib.runs.manifest import Manifest, read_manifest, write_manifest
from lib.runs.metrics_log import hours_of, read_figures
from lib.runs.plan import Plan
from lib.runs.progress import ItemProgress, duration
from lib.runs.run import Intent, Run, RunId, begin_run, find_run
from lib.runs.shards import finished_units
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import join
from pipelines.classify_plan import PLAN, NightSource, compare, read_plan, write_plan
from pipelines.classify_publish import publish_run
from pipelines.publication import PublishConfig, raise_or_say


class ClassifyRun(Config):
    """A classification's run file."""

    output: str = "runs"
    run_id: RunId | None = None
    catalog: CatalogConfig
    bundle: str
    labels_table: str = "labels"
    embeddings: str | None = "embeddings"
    night: NightConfig = NightConfig()
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)
    gates: GatesConfig = GatesConfig()
    prices: PricesConfig = PricesConfig()
    storage: StorageConfig = StorageConfig()

    @field_validator("reading")
    @classmethod
    def _of_the_catalog(cls, reading: ReadingConfig, info: ValidationInfo) -> ReadingConfig:
        catalog = info.data.get("catalog")  # missing where it is not valid itself
        return reading.within([catalog.store] if catalog else [])


class Options(Config):
    """What the command line says beside the run file."""

    limit: int | None = None
    full: bool = False
    publish: bool = True


def classify(config: ClassifyRun, options: Options, say: Callable[[str], None]) -> None:
    """Classify what is new or changed in a catalog, and publish its labels.

    Args:
        config: the run file.
        options: of the command line.
        say: takes each line for the person who waits.

    Raises:
        InputError: something given cannot be used; no work was done.
        GateError: the run is finished, but a gate keeps it from being published.
        ConflictError: another run has published the same items meanwhile.
        ReshelveError: the run stopped; the same command goes on from there.
    """
    storage = Storage(config.storage)
    bundle = read_bundle(config.bundle, storage)
    intent = describe(config, options, bundle)
    run = find_run(config.output, config.run_id, intent, storage)
    if run and (outcome := run.outcome):
        raise_or_say(outcome, run, say)
        return
    night = read_plan(run) if run else None
    if run is None or night is None:
        # the run begins once it is known that the catalog and the table can be read
        with tempfile.TemporaryDirectory() as folder:
            night = compare(night_source(config, options), bundle, storage, Path(folder))
            run = run or begin_run(config.output, config.run_id, intent, storage)
            write_plan(run, night, Path(folder))
    say(f"{run}: {night.diff.sentence}")
    manifest = read_manifest(run.uri, storage)
    if manifest is None:
        plan = Plan(run.at("plan.parquet"), storage)
        seconds, items = run_units(config, bundle, run, plan, say)
        keep_embeddings(config.embeddings, bundle, run, plan)
        parts, totals = compact(run.uri, storage, plan)
        manifest = Manifest(
            run_id=run.run_id,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            catalog=config.catalog.uri,
            bundle=bundle.uri,
            taxonomy_version=bundle.taxonomy.version,
            fingerprint=dict(intent.fingerprint),
            parts=tuple(parts),
            totals=totals,
            seconds=seconds,
            images_per_s=items / seconds,
            node_hours=hours_of(read_figures(run)),
        )
        write_manifest(run.uri, storage, manifest)
    if cost := config.prices.sentence(manifest.node_hours, manifest.totals.items):
        say(f"cost: {cost}")
    if options.publish:
        target = PublishConfig(
            labels_table=config.labels_table, gates=config.gates, reading=config.reading
        )
        publish_run(target, run, say)
    else:
        say(f"not published; 'reshelve publish {run.uri}' does it")


def dry_run(config: ClassifyRun, options: Options, say: Callable[[str], None]) -> None:
    """Say what a classification would do, and how long it would take; write nothing.

    Raises:
        InputError: something given cannot be used.
    """
    storage = Storage(config.storage)
    bundle = read_bundle(config.bundle, storage)
    with tempfile.TemporaryDirectory() as folder:
        night = compare(night_source(config, options), bundle, storage, Path(folder))
        units = parquet.read_metadata(Path(folder) / PLAN).num_row_groups
        sample = sample_items(Path(folder) / PLAN)
    items = night.diff.planned
    say(f"{night.diff.sentence}\n{items:,} items in {units:,} units")
    if not items:
        return
    with connected():
        pool = Pool(config.engine)
        receipt = classify_sample(unit_job(config, bundle, "", ""), pool, sample)
        rate = pool.actors * receipt.images_per_s
        helping = count_helpers(config.engine, pool.actors * pool.num_cpus, lambda: receipt)
        ahead = hours_ahead(nodes_by_kind(), pool.share_now, items / rate)
    actors = "1 actor" if pool.actors == 1 else f"{pool.actors} actors"
    say(f"about {duration(items / rate)} at {rate:,.0f} images/s with {actors}, by a sample")
    if helping:
        processes = "1 process" if helping == 1 else f"{helping} processes"
        say(f"less with the help of {processes} for fetching and decoding")
    if cost := config.prices.sentence(ahead, items):
        say(f"estimated cost: {cost}")
    say("nothing was written")


def describe(config: ClassifyRun, options: Options, bundle: Bundle) -> Intent:
    """Give the run's fingerprint, and its run file without secrets.

    The snapshot stands in it by what it is taken of: a run that is taken up again keeps the
    snapshot that it has begun with, and what changed since is the next run's.
    """
    run_file = config.model_dump(mode="json", exclude={"storage"})
    chosen = {key: run_file[key] for key in ("catalog", "night", "labels_table")}
    source = {**chosen, "limit": options.limit, "full": options.full}
    return Intent(
        job="classify",
        fingerprint={**bundle.fingerprint, "snapshot": digest_json(source)},
        run_file=run_file,
        fresh_for=timedelta(hours=24),
    )


def night_source(config: ClassifyRun, options: Options) -> NightSource:
    """Give what the night is planned of."""
    return NightSource(
        catalog=config.catalog,
        labels_table=config.labels_table,
        night=config.night,
        unit_size=config.engine.unit_size,
        limit=options.limit,
        full=options.full,
    )


def sample_items(plan: Path) -> pa.Table:
    """Take a few items, spread over the plan."""
    items = parquet.read_table(plan)
    step = max(items.num_rows // SAMPLE_ITEMS, 1)
    places = pa.array(range(0, items.num_rows, step), pa.int64())
    return items.take(places[:SAMPLE_ITEMS])


def unit_job(config: ClassifyRun, bundle: Bundle, run_id: str, run_uri: str) -> UnitJob:
    """Give what all units of the run have in common."""
    return UnitJob(
        run_id=run_id,
        run_uri=run_uri,
        plan_uri=join(run_uri, "plan.parquet"),
        bundle_uri=bundle.uri,
        storage=config.storage,
        reading=config.reading,
        device=config.engine.device,
        runtime=config.engine.runtime,
        precision=config.engine.precision,
        batch_size=config.engine.batch_size,
        threads=config.engine.cpus_per_actor,
        embeddings=config.embeddings is not None,
    )


def keep_embeddings(folder: str | None, bundle: Bundle, run: Run, plan: Plan) -> int:
    """Add the embeddings of a run's units to the store of its backbone; give how many are new."""
    if folder is None:
        return 0
    store = EmbeddingStore(folder, bundle.backbone_digest, run.storage)
    return store.append(run.unique_name, read_shards(run.uri, run.storage, plan.units))


def run_units(
    config: ClassifyRun, bundle: Bundle, run: Run, plan: Plan, say: Callable[[str], None]
) -> tuple[float, int]:
    """Classify the units that have no shard yet; give the seconds and items of this try."""
    done = finished_units(run.uri, run.storage)
    left = sorted(set(plan.units) - set(done))
    say(f"{run}: {plan.items:,} items in {len(plan.units):,} units, {len(done):,} done before")
    items = 0
    started = time.monotonic()
    if left:
        job = unit_job(config, bundle, run.run_id, run.uri)
        before = plan.count(done)
        with connected(), ItemProgress(plan.items, before, sys.stdout) as progress:
            watch = UnitWatch(run, plan.items, before)
            for receipt in stream_units(job, left, config.engine):
                items += receipt.items
                progress.add(receipt.items, sum(receipt.errors.values()))
                watch.add(receipt)
            watch.close()
    return time.monotonic() - started, items
