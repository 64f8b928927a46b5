"""Publishing any finished run: gates, one commit, the report, the end of the run."""

import getpass
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb
from pyarrow import parquet

from lib.config.config import Config
from lib.drift.comparison import Drift
from lib.errors import ConflictError, GateError, InputError
from lib.images.config import ReadingConfig
from lib.labels.delta_table import Change, LabelsTable
from lib.labels.gates import GateResult, GatesConfig, judge, measure_changes, moved_items
from lib.labels.history import Made
from lib.models.bundle import Bundle, read_bundle
from lib.runs import files
from lib.runs.manifest import Manifest, read_manifest
from lib.runs.run import Run
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb
from pipelines.steps import Say

BEFORE = ("item_id", "category_id", "category_path")
DUCK_MB = 500  # beside a report, its pictures and what torch holds, 2 GiB in all


class PublishConfig(Config):
    """Where a run is published to, and what it must keep."""

    labels_table: str
    gates: GatesConfig
    reading: ReadingConfig


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What became of a run: the table's version, or why the table is as it was."""

    table: str
    version: int | None = None
    unchanged: bool = False
    error: GateError | ConflictError | None = None

    @property
    def state(self) -> str:
        """One word for `outcome.json`."""
        if self.error:
            return "refused" if isinstance(self.error, GateError) else "conflict"
        return "unchanged" if self.unchanged else "published"

    @property
    def sentence(self) -> str:
        """The same for a person."""
        if self.error:
            return str(self.error)
        if self.unchanged:
            return f"nothing has changed; {self.table} stays at version {self.version}"
        return f"published as version {self.version} of {self.table}"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run, with local copies of what is compared.

    Attributes:
        run: the run.
        manifest: its manifest.
        folder: a local folder that goes when the run is published.
        rows: its labels.
        before: columns `BEFORE` of the rows of the table that it was planned against.
    """

    run: Run
    manifest: Manifest
    folder: Path
    rows: list[Path]
    before: Path


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What became of a finished run, and what was measured before."""

    finished: Finished
    publication: Publication
    gates: list[GateResult]
    moves: list[dict[str, Any]]
    drift: Drift | None = None


class Publisher(Protocol):
    """What is a job's own when its runs are published."""

    @property
    def base_version(self) -> int | None:
        """Version of the table that the run was planned against, or None where there was none."""

    def compare(
        self, connection: duckdb.DuckDBPyConnection, finished: Finished
    ) -> tuple[Path, Path]:
        """Return what the gates compare the run's rows with: the rows before, and removed ids."""

    def drift(self, finished: Finished, table: LabelsTable) -> Drift | None:
        """Return how far the run is from what came before it, or None where nobody asks."""

    @property
    def did(self) -> str:
        """What becomes of how many items, in a few words for the table's history."""

    def change(self, finished: Finished) -> Change | None:
        """Return what the run does to the table, or None where that is nothing."""

    def report(self, judged: Judged, reading: ReadingConfig) -> Sequence[str]:
        """Write the report; return the lines that say the same in short."""


def publish_finished(config: PublishConfig, run: Run, publisher: Publisher, say: Say) -> None:
    """Publish a finished run, write its report, and end it.

    Raises:
        InputError: the run is not finished, or the table cannot be written.
        GateError: a gate failed; the table is as it was.
        ConflictError: another run has changed the same items meanwhile.
    """
    manifest = read_manifest(run)
    if manifest is None:
        raise unfinished(run)
    table = LabelsTable(config.labels_table, run.storage)
    with tempfile.TemporaryDirectory() as folder:
        finished = _fetch(run, manifest, table, publisher.base_version, Path(folder))
        with open_duckdb(DUCK_MB) as connection:
            before, removed = publisher.compare(connection, finished)
            measured = measure_changes(connection, finished.rows, before, removed)
            moves = moved_items(connection)
        drift = publisher.drift(finished, table)
        if drift:
            measured = measured.model_copy(update={"drift": drift.value})
        gates = judge(config.gates, measured)
        publication = _take_in(publisher, finished, table, gates)
        judged = Judged(
            finished=finished, publication=publication, gates=gates, moves=moves, drift=drift
        )
        lines = publisher.report(judged, config.reading)
    run.end({"state": publication.state, "sentence": publication.sentence})
    for line in lines:
        say(line)
    say(f"report: {run.at(files.REPORT)}")
    if publication.error:
        raise publication.error
    say(publication.sentence)


def heading(judged: Judged, bundle: Bundle) -> dict[str, Any]:
    """Return what the report of every run that publishes says: fields of `PublishedReport`."""
    run, manifest = judged.finished.run, judged.finished.manifest
    totals, publication = manifest.totals, judged.publication
    return {
        "run_id": run.run_id,
        "started_at": run.record.created_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": bundle.uri,
        "bundle_digest": bundle.digest,
        "threshold": bundle.info.threshold,
        "labels_table": publication.table,
        "published_version": None if publication.error else publication.version,
        "unpublished_because": str(publication.error) if publication.error else None,
        "engine": "; ".join(totals.engines),
        "items": totals.items,
        "labelled": totals.labelled,
        "errors": totals.error_count,
        "decisions": totals.decisions,
        "gates": judged.gates,
    }


def unfinished(run: Run) -> InputError:
    """Return the error of a run that cannot be published yet."""
    return InputError(f"{run.uri}: this run is not finished; the command that began it resumes it")


def _fetch(
    run: Run, manifest: Manifest, table: LabelsTable, base_version: int | None, folder: Path
) -> Finished:
    before = folder / "before.parquet"
    table.dump(base_version, BEFORE, before)
    rows = [folder / f"{number}.parquet" for number, _ in enumerate(manifest.parts)]
    for part, target in zip(manifest.parts, rows, strict=True):
        run.storage.download(run.at(part.path), target)
    if not rows:
        rows.append(folder / "none.parquet")
        parquet.write_table(LABELS_SCHEMA.empty_table(), rows[0])
    return Finished(run=run, manifest=manifest, folder=folder, rows=rows, before=before)


def _take_in(
    publisher: Publisher, finished: Finished, table: LabelsTable, gates: list[GateResult]
) -> Publication:
    """Publish the run, or say why not."""
    if error := _refused_by(gates):
        return Publication(table=table.name, error=error)
    change = publisher.change(finished)
    if change is None:
        return Publication(table=table.name, version=publisher.base_version, unchanged=True)
    change = replace(change, made=_made(finished, publisher.did))
    try:
        return Publication(table=table.name, version=table.publish(change))
    except ConflictError as error:
        return Publication(table=table.name, error=error)


def _made(finished: Finished, did: str) -> Made:
    run, bundle = finished.run, read_bundle(finished.manifest.bundle, finished.run.storage)
    said = {"run": run.uri, "run_id": run.run_id, "job": run.record.job, "did": did}
    return bundle.made.model_copy(update={**said, "by": user_name()})


def user_name() -> str:
    """Return who runs this process, by the system's name or number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as in a container, whose user has no name
        return f"uid {os.getuid()}"


def _refused_by(gates: list[GateResult]) -> GateError | None:
    failed = [gate for gate in gates if not gate.passed]
    reasons = "; ".join(
        f"{gate.meaning} are {gate.value:.1%}, gates.{gate.key} allows {gate.limit:.1%}"
        for gate in failed
    )
    return GateError(f"{reasons}; not published") if failed else None
