"""A backfill, step by step: a labels table in one taxonomy in, the same table in another out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from lib.backfill.labelled_items import Labelled
from lib.backfill.routing import Routes
from lib.batches import to_parquet
from lib.embeddings.store import EmbeddingStore
from lib.errors import ReshelveError
from lib.hashing import digest_bytes, digest_json
from lib.models.bundle import read_bundle
from lib.runs import files
from lib.runs.answers import read_answers
from lib.runs.compaction import compact, finished_parts
from lib.runs.ending import Ending
from lib.runs.manifest import Manifest, read_manifest, write_manifest
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.progress import duration, stage
from lib.runs.run import Intent, Run
from lib.runs.shards import finished_units
from lib.storage.storage import Storage
from pipelines.backfill_inputs import BackfillRun, read_inputs, unit_job
from pipelines.backfill_labelled import locate
from pipelines.backfill_plan import BackfillPlan, FitRecord, Move, plan, read_plan, write_plan
from pipelines.backfill_publish import BackfillPublisher
from pipelines.classify_missing import classify_left, keep_embeddings
from pipelines.embed import EmbedRun, embed
from pipelines.publication import PublishConfig
from pipelines.publish_finished import publish_finished
from pipelines.steps import Say, carry_out

if TYPE_CHECKING:
    from pipelines.backfill_fit import Fitted


def backfill(
    config: BackfillRun, say: Say, ending: Ending | None = None, *, publish: bool = True
) -> None:
    """Move a labels table to a new taxonomy, or label it anew by another head, and publish it.

    Raises as `carry_out`.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.
        publish: whether to; without, the run stops before the gates.
    """
    storage = Storage(config.storage)
    move, labelled = read_inputs(config, storage, say)
    job = Backfill(config, move, labelled, storage, say, publish)
    carry_out(job, config, say, ending, config.notify)


def make_head(move: Move, labelled: Labelled, say: Say) -> "Fitted | None":
    """Fit a head where neither the rules give it nor the run file names it.

    Raises:
        InputError: a category has too few items.
    """
    if move.head or not move.migration.for_model:
        return None
    with stage(say, "fitting the head"):
        from pipelines.backfill_fit import fit  # noqa: PLC0415  # torch takes seconds to import

        fitted = fit(labelled, move, say)
    evaluation = fitted.evaluation
    say(
        f"head fitted in {duration(fitted.seconds)}: held-out accuracy {evaluation.accuracy:.1%} "
        f"on {evaluation.items:,} items"
    )
    return fitted


@dataclass
class Backfill:
    """A move to another taxonomy, as a job of units."""

    read_plan = staticmethod(read_plan)
    config: BackfillRun
    move: Move
    labelled: Labelled
    storage: Storage
    say: Say
    publish: bool
    fitted: "Fitted | None" = None

    @property
    def intent(self) -> Intent:
        """The run's fingerprint, and its run file without secrets.

        The table stands in it by its place, as in a night: a run that is resumed continues from
        the version it has begun with.
        """
        run_file = self.config.model_dump(mode="json", exclude={"storage", "notify"})
        migration, labelled = self.move.migration, self.labelled
        # where it is not given, the annotations' place follows from the table's
        source = [run_file[key] for key in ("labels_table", "embeddings", "annotations")]
        items = digest_bytes(to_parquet(labelled.train) + to_parquet(labelled.held_out))
        fits = migration.for_model and not self.move.head
        return Intent(
            job="backfill",
            fingerprint={
                **(self.move.head or self.move.bundle).fingerprint,
                "taxonomy": migration.new.digest,
                "migration": migration.digest,
                "labelled": items if fits else "",
                "snapshot": digest_json([each for each in source if each]),
            },
            run_file=run_file,
            fresh_for=timedelta(hours=24),
        )

    def plan(self, folder: Path) -> BackfillPlan:
        """As `Job`; the head is fitted here, since what it lacks is said before a run begins."""
        self.embed_labelled()
        planned = plan(self.move, self.config.engine.unit_size, folder, self.say)
        self.fitted = make_head(self.move, self.labelled, self.say)
        return planned

    def embed_labelled(self) -> None:
        """Make the embeddings that labelled items lack, in a run of its own for each catalog."""
        config, labelled, chosen = self.config, self.labelled, self.config.labelled
        catalogs = [each for each in (chosen.catalog, chosen.validation) if each]
        if self.move.head or not self.move.migration.for_model or not catalogs:
            return
        with stage(self.say, "looking for the embeddings of labelled items", short=True):
            found = sum(side.num_rows for side in locate(labelled, self.move.store.files))
        missing = labelled.train.num_rows + labelled.held_out.num_rows - found
        if not missing:
            return
        self.say(f"{missing:,} labelled items have no embedding; they are embedded first")
        for catalog in catalogs:
            run = EmbedRun(
                output=config.output,
                storage=config.storage,
                catalog=catalog,
                bundle=self.move.bundle.uri,
                embeddings=config.embeddings,
                engine=config.engine,
            )
            embed(run, self.say)

    def write_plan(self, run: Run, planned: BackfillPlan, folder: Path) -> None:
        """Write the new bundle, what the report says of it, and the plan."""
        from lib.backfill.head_bundle import carry_head, write_head_bundle  # noqa: PLC0415  # torch takes seconds to import

        move, fitted, held_out = self.move, self.fitted, self.labelled.held_out
        if not move.head:
            head = fitted.head if fitted else carry_head(move.bundle, move.migration, self.storage)
            new = move.migration.new
            write_head_bundle(self._bundle_uri(run), self.storage, move.bundle, head, new)
        run.write_json(files.MIGRATION, move.migration.to_record())
        if held_out.num_rows:
            run.write_table(files.HELD_OUT, held_out.select(["uri", "etag", "category_id"]))
        if fitted:
            record = FitRecord(
                train_items=fitted.train_items,
                in_doubt=self.labelled.in_doubt,
                without_embedding=fitted.without_embedding,
                evaluation=fitted.evaluation,
            )
            run.write(files.FIT, record.model_dump_json().encode())
        write_plan(run, planned, folder)

    def work(self, run: Run, planned: BackfillPlan) -> None:
        """Relabel what is left, and write the manifest."""
        if read_manifest(run) is not None:
            return
        with stage(self.say, "loading the new head", short=True):
            from lib.backfill.score_unit import ScoreJob  # noqa: PLC0415  # torch takes seconds to import
            from pipelines.backfill_score import read_parts, score_left  # noqa: PLC0415  # as above

        config, routes = self.config, planned.routes
        bundle = read_bundle(self._bundle_uri(run), self.storage)
        by_images = run.within(files.PIXELS)
        figures = UnitFigures(run, routes.rows, self._done(run, by_images, routes))
        scoring = ScoreJob(
            run=run,
            bundle_uri=bundle.uri,
            migration=self.move.migration,
            rule_units=routes.rule_units,
            embeddings=planned.embeddings,
            answers=planned.answers,
        )
        self.say(f"relabelling {routes.rule + routes.model:,} rows by rule and by embedding")
        score_left(scoring, config.engine.actors, figures)
        parts, totals = read_parts(run, self.say)
        if routes.pixels:
            self.say("rows without an embedding are classified from their images")
            store = EmbeddingStore(config.embeddings, bundle.backbone_digest, self.storage)
            job = unit_job(config, by_images, bundle)
            classify_left(job, figures, self.say)
            keep_embeddings(store, by_images, run.unique_name, self.say)
            plan, first = Plan(by_images), len(parts)
            shards = f"of {len(plan.units):,} shards"
            answers = read_answers(run, planned.answers, bundle.taxonomy)
            with stage(self.say, "putting the shards together", shards) as count:

                def settle(rows: pa.Table) -> pa.Table:
                    count(1)
                    return answers.lay_over(rows)

                more, theirs = compact(by_images, plan, run, first, settle)
            parts, totals = [*parts, *more], totals + theirs
        figures.close()
        if sum(part.rows for part in parts) != routes.rows:
            raise ReshelveError(f"{run.uri}: rows were lost or added; the run is not published")
        write_manifest(
            run,
            Manifest(
                run_id=run.run_id,
                finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
                catalog=config.labels_table,
                bundle=bundle.uri,
                taxonomy_version=bundle.taxonomy.version,
                fingerprint=run.record.fingerprint,
                parts=tuple(parts),
                totals=totals,
                seconds=figures.seconds,
                images_per_s=figures.images_per_s,
            ),
        )

    def _bundle_uri(self, run: Run) -> str:
        return self.move.head.uri if self.move.head else run.at(files.BUNDLE)

    def _done(self, run: Run, by_images: Run, routes: Routes) -> int:
        """Rows that an earlier try has finished."""
        plan = Plan(run)
        done = plan.count(finished_parts(run, plan))
        return done + (Plan(by_images).count(finished_units(by_images)) if routes.pixels else 0)

    def end(self, run: Run) -> None:
        """As `Job`."""
        if not self.publish:
            self.say(f"not published; 'reshelve publish {run.uri}' does it")
            return
        config = self.config
        target = PublishConfig(
            labels_table=config.labels_table,
            annotations=config.annotations,
            gates=config.gates,
            reading=config.reading,
        )
        publish_finished(target, run, BackfillPublisher.of(run), self.say)
        self.say(f"bundle: {self._bundle_uri(run)}")
