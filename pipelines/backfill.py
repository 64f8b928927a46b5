"""A backfill, step by step: a labels table in one taxonomy in, the same table in another out."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lib.backfill.head_bundle import carry_head, write_head_bundle
from lib.backfill.labelled_items import Labelled
from lib.config.config import Config
from lib.embeddings.store import EmbeddingStore
from lib.errors import ReshelveError
from lib.hashing import digest_bytes, digest_json
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import GatesConfig
from lib.models.bundle import read_bundle
from lib.runs.manifest import Manifest, read_manifest, write_manifest
from lib.runs.progress import duration
from lib.runs.run import Intent, Run, RunId, begin_run, find_run
from lib.runs.shards import to_parquet
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import read_taxonomy
from pipelines.backfill_fit import Fitted, LabelledConfig, fit, read_labelled, refuse_other_backbone
from pipelines.backfill_plan import (
    FIT,
    HELD_OUT,
    MIGRATION,
    BackfillPlan,
    FitRecord,
    Move,
    plan,
    read_plan,
    write_plan,
)
from pipelines.backfill_publish import publish_backfill
from pipelines.backfill_score import read_parts, score_left
from pipelines.publication import PublishConfig, raise_or_say


class BackfillRun(Config):
    """A backfill's run file."""

    output: str = "runs"
    run_id: RunId | None = None
    bundle: str
    taxonomy: str
    through: tuple[str, ...] = ()
    labels_table: str = "labels"
    embeddings: str = "embeddings"
    labelled: LabelledConfig = LabelledConfig()
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = ReadingConfig()
    gates: GatesConfig = GatesConfig()
    storage: StorageConfig = StorageConfig()


def backfill(config: BackfillRun, say: Callable[[str], None], *, publish: bool = True) -> None:
    """Move a labels table to a new taxonomy, and publish it.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        publish: whether to; without, the run stops before the gates.

    Raises:
        InputError: something given cannot be used; no work was done.
        GateError: the run is finished, but a gate keeps it from being published.
        ConflictError: another run has changed the table meanwhile.
        ReshelveError: the run stopped; the same command goes on from there.
    """
    storage = Storage(config.storage)
    move = read_move(config, storage)
    labelled = read_labelled(config.labelled, move.table, move.migration, storage)
    intent = describe(config, move, labelled)
    run = find_run(config.output, config.run_id, intent, storage)
    if run and (outcome := run.outcome):
        raise_or_say(outcome, run, say)
        return
    planned = read_plan(run) if run else None
    if run is None or planned is None:
        # the run begins once it is known that the table can be read and the head can be fitted
        with tempfile.TemporaryDirectory() as folder:
            planned = plan(move, config.engine.unit_size, Path(folder))
            made = make_head(move, labelled, say)
            run = run or begin_run(config.output, config.run_id, intent, storage)
            write_head(run, move, labelled, made)
            write_plan(run, planned, Path(folder))
    say(f"{run}: {planned.routes.sentence}")
    if read_manifest(run.uri, storage) is None:
        finish(config, run, move, planned, say)
    if publish:
        target = PublishConfig(
            labels_table=config.labels_table, gates=config.gates, reading=config.reading
        )
        publish_backfill(target, run, say)
        say(f"bundle: {run.at('bundle')}")
    else:
        say(f"not published; 'reshelve publish {run.uri}' does it")


def read_move(config: BackfillRun, storage: Storage) -> Move:
    """Read what is moved, from where to where.

    Raises:
        InputError: the bundle or a taxonomy cannot be used, or does not follow the one before it.
    """
    bundle = read_bundle(config.bundle, storage)
    following = [read_taxonomy(each, storage) for each in (*config.through, config.taxonomy)]
    store = EmbeddingStore(config.embeddings, bundle.backbone_digest, storage)
    migration = migrate([bundle.taxonomy, *following])
    if migration.for_model:
        refuse_other_backbone(store, config.embeddings, storage)
    return Move(
        table=LabelsTable(config.labels_table, storage),
        bundle=bundle,
        migration=migration,
        store=store,
    )


def describe(config: BackfillRun, move: Move, labelled: Labelled) -> Intent:
    """Give the run's fingerprint, and its run file without secrets.

    The table stands in it by its place, as in a night: a run that is taken up again goes on from
    the version it has begun with.
    """
    run_file = config.model_dump(mode="json", exclude={"storage"})
    items = digest_bytes(to_parquet(labelled.train) + to_parquet(labelled.held_out))
    return Intent(
        job="backfill",
        fingerprint={
            **move.bundle.fingerprint,
            "taxonomy": move.migration.new.digest,
            "migration": move.migration.digest,
            "labelled": items if move.migration.for_model else "",
            "snapshot": digest_json([run_file["labels_table"], run_file["embeddings"]]),
        },
        run_file=run_file,
        fresh_for=timedelta(hours=24),
    )


def make_head(move: Move, labelled: Labelled, say: Callable[[str], None]) -> Fitted | None:
    """Fit a head where the rules do not give it.

    Raises:
        InputError: a category has too few items.
    """
    if not move.migration.for_model:
        return None
    fitted = fit(labelled, move, say)
    evaluation = fitted.evaluation
    say(
        f"head fitted in {duration(fitted.seconds)}: held-out accuracy {evaluation.accuracy:.1%} "
        f"on {evaluation.items:,} items"
    )
    return fitted


def write_head(run: Run, move: Move, labelled: Labelled, fitted: Fitted | None) -> None:
    """Write the new bundle, and what the report says of it."""
    storage, migration = run.storage, move.migration
    head = fitted.head if fitted else carry_head(move.bundle, migration, storage)
    write_head_bundle(run.at("bundle"), storage, move.bundle, head, migration.new)
    run.write_json(MIGRATION, migration.to_record())
    if labelled.held_out.num_rows:
        run.write_table(HELD_OUT, labelled.held_out.select(["uri", "etag", "category_id"]))
    if fitted:
        record = FitRecord(
            train_items=fitted.train_items,
            in_doubt=labelled.in_doubt,
            without_embedding=fitted.without_embedding,
            evaluation=fitted.evaluation,
        )
        storage.write(run.at(FIT), record.model_dump_json().encode())


def finish(
    config: BackfillRun, run: Run, move: Move, planned: BackfillPlan, say: Callable[[str], None]
) -> None:
    """Relabel what is left, and write the manifest."""
    bundle = read_bundle(run.at("bundle"), run.storage)
    routes, started = planned.routes, time.monotonic()
    items = score_left(run, move.migration, planned, config.engine.actors)
    parts, totals = read_parts(run)
    if routes.pixels:
        from pipelines.classify_missing import Full, classify_rows  # noqa: PLC0415  # Ray Data takes seconds to import

        full = Full(config.engine, config.reading, config.embeddings)
        more, theirs = classify_rows(full, run, bundle, len(parts), say)
        parts, totals = [*parts, *more], totals + theirs
    seconds = time.monotonic() - started
    if sum(part.rows for part in parts) != routes.rule + routes.model + routes.pixels:
        raise ReshelveError(f"{run.uri}: rows were lost or added; the run is not published")
    write_manifest(
        run.uri,
        run.storage,
        Manifest(
            run_id=run.run_id,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            catalog=config.labels_table,
            bundle=bundle.uri,
            taxonomy_version=bundle.taxonomy.version,
            fingerprint=run.read_json("run.json")["fingerprint"],
            parts=tuple(parts),
            totals=totals,
            seconds=seconds,
            images_per_s=items / seconds,
        ),
    )
