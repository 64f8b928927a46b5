"""Planning a backfill: the rows of the labels table, sorted by the route that each one takes."""

from dataclasses import dataclass
from pathlib import Path

from lib.backfill.relabel import Relabeller
from lib.backfill.routing import RouteFiles, Router, Routes, settle
from lib.config.config import Config
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.evaluation.results import Evaluation
from lib.labels.decisions import NEVER, Decider
from lib.labels.delta_table import LabelsTable
from lib.labels.mixing import refuse_mixing
from lib.models.bundle import Bundle
from lib.runs import files
from lib.runs.progress import counted, stage
from lib.runs.run import Run
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb
from lib.taxonomy.migration import Migration
from pipelines.answers import answers_after, keep_answers, read_annotations, upload_answers
from pipelines.steps import Say

DUCK_MB = 500  # beside a head, its data and what torch holds, 2 GiB in all


@dataclass(frozen=True, kw_only=True)
class Move:
    """What is moved: a labels table, from a bundle's taxonomy along a migration.

    Attributes:
        table: the labels table.
        bundle: the one that made its labels, and whose backbone made the embeddings.
        migration: from the bundle's taxonomy to the new one.
        store: the embeddings of the bundle's backbone.
        annotations: where people's answers about the table's items lie.
        head: of the same backbone, where the table stays in its taxonomy and this one decides anew.
    """

    table: LabelsTable
    bundle: Bundle
    migration: Migration
    store: EmbeddingStore
    annotations: str
    head: Bundle | None = None


class BackfillPlan(Config):
    """`backfill.json`: what the run is planned against. Once it is there, the plan is whole."""

    base_version: int
    routes: Routes
    embeddings: tuple[str, ...]
    answers: int = 0  # of people, in the new taxonomy, that the run respects

    @property
    def sentence(self) -> str:
        """The plan for the person who waits."""
        return self.routes.sentence


class FitRecord(Config):
    """`fit.json`: what the new head was fitted on, and what held-out items say of it."""

    train_items: int
    in_doubt: int
    without_embedding: int
    evaluation: Evaluation


def read_migration(run: Run) -> Migration:
    """Read the migration of a run."""
    return Migration.from_record(run.read_json(files.MIGRATION), run.at(files.MIGRATION))


def read_plan(run: Run) -> BackfillPlan | None:
    """Read a run's plan, or None where it was not wholly written."""
    return run.find(files.BACKFILL, BackfillPlan)


def route_files(folder: Path) -> RouteFiles:
    """Return the places of a plan in a local folder."""
    return RouteFiles(
        folder / "settled.parquet", folder / files.PLAN, folder / f"{files.PIXELS}.parquet"
    )


def plan(move: Move, unit_size: int, folder: Path, say: Say) -> BackfillPlan:
    """Write the plan into a local folder.

    Raises:
        InputError: the labels table cannot be read, or is of another taxonomy.
    """
    table, migration = move.table, move.migration
    version = table.version()
    if version is None:
        raise InputError(f"{table.name}: there is no labels table here to move")
    refuse_mixing(table.name, table.history(), {}, move.bundle.made)
    new = migration.new
    # what is settled depends on the taxonomies alone; no row is decided on here
    decider = Decider(taxonomy=new, category_ids=new.leaves, threshold=NEVER)
    local = route_files(folder)
    rows = table.batches(version, LABELS_SCHEMA.names)
    with stage(say, "reading the labels table", "rows") as count:
        seen = counted(rows, count, lambda batch: batch.num_rows)
        settle(seen, Relabeller(migration, decider), local.settled, table.name)
    stored = move.store.files if migration.for_model else []
    with (
        stage(say, "sorting its rows: by rule, by embedding, by image"),
        open_duckdb(DUCK_MB) as connection,
    ):
        routes = Router(connection, local).write(stored, unit_size)
    local.settled.unlink()
    decisions = table.batches(version, ["decision"])
    annotations = read_annotations(move.annotations, table.storage, decisions)
    return BackfillPlan(
        base_version=version,
        routes=routes,
        embeddings=tuple(file.uri for file in stored),
        answers=keep_answers(answers_after(annotations, migration), folder),
    )


def write_plan(run: Run, planned: BackfillPlan, folder: Path) -> None:
    """Write what `plan` has made into the run's folder."""
    local = route_files(folder)
    run.storage.upload(local.plan, run.at(files.PLAN))
    if planned.routes.pixels:
        run.storage.upload(local.pixels, run.within(files.PIXELS).at(files.PLAN))
    upload_answers(run, planned.answers, folder)
    run.write(files.BACKFILL, planned.model_dump_json(indent=2).encode())
