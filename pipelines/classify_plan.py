"""Planning a run: freeze the catalog, compare it with the published labels, write what is to do."""

from pathlib import Path

from pyarrow.parquet import ParquetFile
from pydantic import Field

from lib.catalog.catalog import CatalogConfig
from lib.catalog.diff import COMPARED, Diff, Night, NightConfig, count_versions, write_removed
from lib.catalog.left_out import left_out_sentence
from lib.catalog.snapshot import Frozen, freeze
from lib.config.config import Config
from lib.labels.delta_table import LabelsTable
from lib.labels.gates_ahead import Reach, measure_reach
from lib.labels.mixing import refuse_mixing
from lib.labels.people import respected
from lib.models.bundle import Bundle
from lib.runs import files
from lib.runs.progress import stage
from lib.runs.run import Run
from lib.sql import open_duckdb
from lib.storage.storage import Storage
from pipelines.answers import annotations_place, keep_answers, read_annotations, upload_answers
from pipelines.steps import Say


class NightPlan(Config):
    """`night.json`: what the run is planned against. Once it is there, the plan is whole."""

    diff: Diff
    base_version: int | None
    whole_catalog: bool
    snapshot_digest: str
    items: int
    reach: Reach | None = None  # of plans of earlier versions it is not known
    left_out: dict[str, int] = Field(default_factory=dict)  # of the catalog's place, by kind
    answers: int = 0  # of people, that the run respects

    @property
    def sentence(self) -> str:
        """The plan for the person who waits."""
        return self.diff.sentence


class NightSource(Config):
    """What a night is planned of."""

    catalog: CatalogConfig
    labels_table: str
    annotations: str | None = None
    night: NightConfig
    unit_size: int
    limit: int | None
    full: bool

    @property
    def redone(self) -> tuple[str, ...]:
        """Labels of which other `bundle` or `taxonomy` are all made again."""
        if self.limit is not None:  # what the part leaves out stays as it is
            return ()
        return ("bundle",) if self.full else self.night.redo


def read_night(run: Run) -> NightPlan | None:
    """Read what a run is planned against, or None where the plan was not wholly written."""
    return run.find(files.NIGHT, NightPlan)


def write_night(run: Run, night: NightPlan, folder: Path) -> None:
    """Write what `compare` has made into the run's folder."""
    for name in (files.SNAPSHOT, files.PLAN, files.REMOVED):
        run.storage.upload(folder / name, run.at(name))
    upload_answers(run, night.answers, folder)
    run.write(files.NIGHT, night.model_dump_json(indent=2).encode())


def compare(
    source: NightSource, bundle: Bundle, storage: Storage, folder: Path, say: Say
) -> NightPlan:
    """Write snapshot, plan and removed ids into a local folder.

    Raises:
        InputError: the catalog or the labels table cannot be read.
    """
    with stage(say, "reading the catalog") as count:
        frozen = freeze(source.catalog, storage, folder / files.SNAPSHOT, source.limit, count)
    if sentence := left_out_sentence(frozen.left_out):
        say(sentence)
    with stage(say, "comparing it with the labels table"):
        return _diff(source, bundle, storage, folder, frozen)


def _diff(
    source: NightSource, bundle: Bundle, storage: Storage, folder: Path, frozen: Frozen
) -> NightPlan:
    table = LabelsTable(source.labels_table, storage)
    version = table.version()
    labels = folder / "labels.parquet"
    table.dump(version, COMPARED, labels)
    place = annotations_place(source.annotations, source.labels_table)
    decisions = ParquetFile(labels).iter_batches(columns=["decision"])
    answers = respected(read_annotations(place, storage, decisions), bundle.taxonomy)
    night = Night(
        source.night,
        bundle.digest,
        bundle.taxonomy.version,
        full=source.full,
        names=bundle.info.names is not None,
    )
    whole = source.limit is None
    with open_duckdb() as connection:
        rows = count_versions(connection, labels)
        refuse_mixing(source.labels_table, table.history(), rows, bundle.made, source.redone)
        plan = folder / files.PLAN
        diff = night.plan(connection, frozen.path, labels, plan, source.unit_size, answers)
        gone = folder / files.REMOVED
        removed = write_removed(connection, frozen.path, labels, gone, whole=whole)
        diff = diff.model_copy(update={"removed": removed})
        reach = measure_reach(connection, labels, plan, gone, diff.row_loss)
    labels.unlink()
    return NightPlan(
        diff=diff,
        base_version=version,
        whole_catalog=whole,
        snapshot_digest=frozen.digest,
        items=frozen.items,
        reach=reach,
        left_out=dict(frozen.left_out),
        answers=keep_answers(answers, folder),
    )
