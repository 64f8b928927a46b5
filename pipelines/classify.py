"""Classification, step by step: a catalog in, labelled shards and a published table out."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
from pydantic import Field

from lib.bundle import Bundle, read_bundle
from lib.catalog import CatalogConfig, read_catalog
from lib.compact import compact
from lib.config import Config
from lib.digest import digest_bytes
from lib.errors import GateError
from lib.manifest import Manifest, read_manifest, write_manifest
from lib.plan import Plan, write_plan
from lib.prepare import ReadingConfig
from lib.progress import ItemProgress, duration
from lib.runs import Intent, Run, open_run
from lib.shards import finished_units, to_parquet
from lib.storage import Storage, StorageConfig, join
from lib.table import publish
from lib.unit import UnitJob
from pipelines.classify_report import Publication, write_report
from pipelines.cluster import connected
from pipelines.stream_units import EngineConfig, Pool, measure_rate, stream_units


class GatesConfig(Config):
    """What a run must keep to be published."""

    max_error_rate: float = Field(default=0.05, ge=0, le=1)


class ClassifyRun(Config):
    """A classification's run file."""

    output: str = "runs"
    run_id: str | None = None
    catalog: CatalogConfig
    bundle: str
    labels_table: str = "labels"
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = ReadingConfig()
    gates: GatesConfig = GatesConfig()
    storage: StorageConfig = StorageConfig()


def classify(config: ClassifyRun, limit: int | None, say: Callable[[str], None]) -> None:
    """Classify a catalog and publish its labels.

    Args:
        config: the run file.
        limit: take only the first items, by item id; the others' labels stay as they are.
        say: takes each line for the person who waits.

    Raises:
        InputError: something given cannot be used; no work was done.
        GateError: too much of the run failed; it is finished, but not published.
        ReshelveError: the run stopped; the same command goes on from there.
    """
    storage = Storage(config.storage)
    bundle = read_bundle(config.bundle, storage)
    snapshot = read_catalog(config.catalog, storage).slice(0, limit)
    intent = describe(config, bundle, snapshot)
    run = open_run(config.output, config.run_id, intent, storage)
    if outcome := run.outcome:
        say(f"{run} has ended before: {outcome['sentence']}")
        return
    manifest = read_manifest(run.uri, storage)
    if manifest is None:
        plan = make_plan(config, snapshot, run)
        seconds, items = run_units(config, bundle, run, plan, say)
        parts, totals = compact(run.uri, storage, plan)
        manifest = Manifest(
            run_id=run.run_id,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            catalog=config.catalog.uri,
            bundle=bundle.uri,
            taxonomy_version=bundle.taxonomy.version,
            fingerprint=dict(intent.fingerprint),
            whole_catalog=limit is None,
            parts=tuple(parts),
            totals=totals,
            seconds=seconds,
            images_per_s=items / seconds,
        )
        write_manifest(run.uri, storage, manifest)
    conclude(config, bundle, run, manifest, say)


def dry_run(config: ClassifyRun, limit: int | None, say: Callable[[str], None]) -> None:
    """Say what a classification would do, and how long it would take; write nothing.

    Raises:
        InputError: something given cannot be used.
    """
    storage = Storage(config.storage)
    bundle = read_bundle(config.bundle, storage)
    snapshot = read_catalog(config.catalog, storage).slice(0, limit)
    units = -(-snapshot.num_rows // config.engine.unit_size)
    say(f"{snapshot.num_rows:,} items in {units:,} units of {config.engine.unit_size:,}")
    with connected():
        pool = Pool(config.engine)
        rate = pool.actors * measure_rate(unit_job(config, bundle, "", ""), pool, snapshot)
    say(
        f"about {duration(snapshot.num_rows / rate)} at {rate:,.0f} images/s with {pool.actors} "
        f"actors, by a sample; nothing was written"
    )


def describe(config: ClassifyRun, bundle: Bundle, snapshot: pa.Table) -> Intent:
    """Give the run's fingerprint, and its run file without secrets."""
    return Intent(
        job="classify",
        fingerprint={**bundle.fingerprint, "snapshot": digest_bytes(to_parquet(snapshot))},
        run_file=config.model_dump(mode="json", exclude={"storage"}),
    )


def make_plan(config: ClassifyRun, snapshot: pa.Table, run: Run) -> Plan:
    """Write snapshot and plan, or find those that an earlier try has written."""
    uri = run.at("plan.parquet")
    if not run.storage.exists(uri):
        run.write_table("snapshot.parquet", snapshot)
        write_plan(uri, snapshot, config.engine.unit_size, run.storage)
    return Plan(uri, run.storage)


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
        precision=config.engine.precision,
        batch_size=config.engine.batch_size,
        threads=config.engine.cpus_per_actor,
    )


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
        with connected(), ItemProgress(plan.items, plan.count(done), sys.stdout) as progress:
            for receipt in stream_units(job, left, config.engine):
                items += receipt.items
                progress.add(receipt.items, sum(receipt.errors.values()))
    return time.monotonic() - started, items


def conclude(
    config: ClassifyRun,
    bundle: Bundle,
    run: Run,
    manifest: Manifest,
    say: Callable[[str], None],
) -> None:
    """Hold the run against its gates, publish it, write its report, and end it.

    Raises:
        GateError: a gate failed; the table is as it was.
    """
    totals = manifest.totals
    if totals.error_rate > config.gates.max_error_rate:
        refused = (
            f"{totals.error_rate:.1%} of the items are errors, more than gates.max_error_rate "
            f"allows ({config.gates.max_error_rate:.1%}); not published"
        )
        publication = Publication(table=config.labels_table, refused=refused)
    else:
        parts = [run.at(part.path) for part in manifest.parts]
        version = publish(
            config.labels_table,
            parts,
            run.run_id,
            run.storage,
            whole_catalog=manifest.whole_catalog,
        )
        publication = Publication(table=config.labels_table, version=version)
    evaluation = write_report(run, bundle, manifest, publication, config.reading)
    run.end({"state": publication.state, "sentence": publication.sentence})
    say(f"{totals.labelled:,} of {totals.items:,} items labelled, {totals.error_count:,} errors")
    for reason, count in totals.errors.items():
        say(f"  {reason}: {count:,}")
    if evaluation:
        known = f"{evaluation.items:,} items whose label is known"
        say(f"accuracy {evaluation.accuracy:.1%} on {known}")
    say(f"report: {run.at('report.html')}")
    if publication.refused:
        raise GateError(publication.refused)
    say(publication.sentence)
