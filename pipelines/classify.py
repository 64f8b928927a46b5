"""Classification, step by step: a catalog in, labelled shards and a published table out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from pydantic import Field, field_validator

from lib.catalog.catalog import CatalogConfig
from lib.catalog.diff import NightConfig
from lib.config.config import Config
from lib.drift.sample import Sampler
from lib.embeddings.store import EmbeddingStore
from lib.errors import GateError
from lib.hashing import digest_json
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig, UnitJob
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import GatesConfig
from lib.labels.gates_ahead import reach_sentences, refused_ahead
from lib.labels.people import Answers
from lib.models.bundle import Bundle
from lib.names.encoder_files import refuse_without_extra
from lib.processes import Process
from lib.runs import files
from lib.runs.answers import read_answers
from lib.runs.compaction import Part, compact
from lib.runs.cost import PricesConfig
from lib.runs.ending import Ending
from lib.runs.manifest import Manifest, read_manifest, write_manifest
from lib.runs.metrics_log import UnitFigures, hours_of, read_figures
from lib.runs.notify import NotifyConfig
from lib.runs.plan import Plan
from lib.runs.progress import stage
from lib.runs.receipt import Totals
from lib.runs.run import Intent, Run, RunFile
from lib.runs.shards import finished_units
from lib.storage.storage import Storage
from pipelines.classify_missing import classify_left, keep_embeddings
from pipelines.classify_plan import NightPlan, NightSource, compare, read_night, write_night
from pipelines.classify_publish import NightPublisher, load_report
from pipelines.current_bundle import find_bundle
from pipelines.publication import PublishConfig
from pipelines.publish_finished import publish_finished
from pipelines.steps import (
    Say,
    apart_from_catalogs,
    carry_out,
    meanwhile,
    within_catalogs,
)


class ClassifyRun(RunFile):
    """A classification's run file."""

    catalog: CatalogConfig
    bundle: str
    labels_table: str = "labels"
    annotations: str | None = None
    embeddings: str | None = "embeddings"
    night: NightConfig = NightConfig()
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)
    gates: GatesConfig = GatesConfig()
    prices: PricesConfig = PricesConfig()
    notify: NotifyConfig = NotifyConfig()

    _within = field_validator("reading")(within_catalogs)
    _apart = field_validator("catalog", "labels_table", "annotations", "embeddings")(
        apart_from_catalogs
    )


class Options(Config):
    """What the command line says beside the run file."""

    limit: int | None = None
    full: bool = False
    publish: bool = True


def classify(
    config: ClassifyRun,
    options: Options,
    say: Say,
    ending: Ending | None = None,
    ahead: Process | None = None,
) -> None:
    """Classify what is new or changed in a catalog, and publish its labels; raises as `carry_out`.

    Args:
        config: the run file.
        options: of the command line.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.
        ahead: a process that becomes one of those that classify; or None.
    """
    storage = Storage(config.storage)
    with stage(say, "reading the bundle", short=True):
        bundle = find_bundle(config.bundle, LabelsTable(config.labels_table, storage), storage)
    if bundle.info.names and bundle.info.names.encoder:
        refuse_without_extra(bundle.uri)
    job = Classification(config, options, bundle, storage, say, ahead)
    carry_out(job, config, say, ending, config.notify)


@dataclass(frozen=True)
class Classification:
    """A night, as a job of units."""

    read_plan, write_plan = staticmethod(read_night), staticmethod(write_night)
    config: ClassifyRun
    options: Options
    bundle: Bundle
    storage: Storage
    say: Say
    ahead: Process | None = None

    @property
    def intent(self) -> Intent:
        """The run's fingerprint, and its run file without secrets.

        The snapshot stands in it by what it is taken of: a run that is resumed keeps the snapshot
        that it has begun with, and what changed since is the next run's.
        """
        run_file = self.config.model_dump(mode="json", exclude={"storage", "notify"})
        chosen = {key: run_file[key] for key in ("catalog", "night", "labels_table")}
        if self.config.annotations:  # as a default it follows from the table
            chosen["annotations"] = self.config.annotations
        source = {**chosen, "limit": self.options.limit, "full": self.options.full}
        return Intent(
            job="classify",
            fingerprint={**self.bundle.fingerprint, "snapshot": digest_json(source)},
            run_file=run_file,
            fresh_for=timedelta(hours=24),
        )

    def plan(self, folder: Path) -> NightPlan:
        """As `Job`."""
        source = NightSource(
            catalog=self.config.catalog,
            labels_table=self.config.labels_table,
            annotations=self.config.annotations,
            night=self.config.night,
            unit_size=self.config.engine.unit_size,
            limit=self.options.limit,
            full=self.options.full,
        )
        night = compare(source, self.bundle, self.storage, folder, self.say)
        self.refuse_ahead(night)
        return night

    def refuse_ahead(self, night: NightPlan) -> None:
        """Refuse a night that a gate will not let through, whatever it classifies.

        Raises:
            GateError: nothing was done.
        """
        if night.reach and (refused := refused_ahead(self.config.gates, night.reach)):
            changes = night.diff.changes
            raise GateError(f"{changes} in {self.config.catalog.uri}: {refused}")

    def say_reach(self, night: NightPlan) -> None:
        """Say whether gates could refuse what the night changes."""
        if night.reach and (night.diff.planned or night.diff.removed):
            for sentence in reach_sentences(self.config.gates, night.reach):
                self.say(sentence)

    def work(self, run: Run, night: NightPlan) -> None:
        """Classify what is left, write the manifest, and say what it cost."""
        config, manifest = self.config, read_manifest(run)
        if manifest is None:
            self.say_reach(night)
            plan = Plan(run)
            figures = UnitFigures(run, plan.items, plan.count(finished_units(run)))
            meanwhile(load_report)
            classify_left(self.unit_job(run), figures, self.say, ahead=self.ahead)
            figures.close()
            sampler = Sampler()
            answers = read_answers(run, night.answers, self.bundle.taxonomy)
            parts, totals = self.put_together(run, plan, sampler, answers)
            if config.embeddings:
                store = EmbeddingStore(config.embeddings, self.bundle.backbone_digest, self.storage)
                keep_embeddings(store, run, run.unique_name, self.say, sampler.watch)
            run.write(files.SAMPLE, sampler.sample.to_parquet())
            manifest = Manifest(
                run_id=run.run_id,
                finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
                catalog=config.catalog.uri,
                bundle=self.bundle.uri,
                taxonomy_version=self.bundle.taxonomy.version,
                fingerprint=run.record.fingerprint,
                parts=tuple(parts),
                totals=totals,
                seconds=figures.seconds,
                images_per_s=figures.images_per_s,
                node_hours=hours_of(read_figures(run)),
            )
            write_manifest(run, manifest)
        if cost := config.prices.sentence(manifest.node_hours, manifest.totals.items):
            self.say(f"cost: {cost}")

    def put_together(
        self, run: Run, plan: Plan, sampler: Sampler, answers: Answers
    ) -> tuple[list[Part], Totals]:
        """Put the shards of all units together, and people's answers over their rows.

        The sampler sees what the model has said, by which drift is measured.
        """
        shards = len(plan.units)
        doing, of = "putting the shards together", f"of {shards:,} shards"
        with stage(self.say, doing, of, short=not shards) as count:

            def settle(rows: pa.Table) -> pa.Table:
                sampler.add(rows)
                count(1)
                return answers.lay_over(rows)

            return compact(run, plan, settle=settle)

    def end(self, run: Run) -> None:
        """As `Job`."""
        if not self.options.publish:
            self.say(f"not published; 'reshelve publish {run.uri}' does it")
            return
        config = self.config
        target = PublishConfig(
            labels_table=config.labels_table,
            annotations=config.annotations,
            gates=config.gates,
            reading=config.reading,
        )
        publish_finished(target, run, NightPublisher.of(run), self.say)

    def unit_job(self, run: Run) -> UnitJob:
        """Return what all units of a run have in common."""
        config = self.config
        return UnitJob(
            run=run,
            bundle_uri=self.bundle.uri,
            engine=config.engine,
            reading=config.reading,
            embeddings=config.embeddings is not None,
        )
