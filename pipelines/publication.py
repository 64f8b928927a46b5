"""What publishing any finished run has to do with: where to, what from, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb

from lib.config.config import Config
from lib.drift.comparison import Drift
from lib.errors import ConflictError, GateError, InputError
from lib.images.config import ReadingConfig
from lib.labels.change import Change
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import GateResult, GatesConfig, Measured
from lib.models.bundle import Bundle
from lib.runs.manifest import Manifest
from lib.runs.receipt import Totals
from lib.runs.run import Run

BEFORE = ("item_id", "category_id", "category_path")
DUCK_MB = 500  # beside a report, its pictures and what torch holds, 2 GiB in all


class PublishConfig(Config):
    """Where a run is published to, and what it must keep."""

    labels_table: str
    annotations: str | None = None
    gates: GatesConfig
    reading: ReadingConfig


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What became of a run: the table's version, or why the table is as it was."""

    table: str
    version: int | None = None
    unchanged: bool = False
    accepted: tuple[str, ...] = ()  # which gates a person let it pass, and who
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
        return "; ".join([f"published as version {self.version} of {self.table}", *self.accepted])


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
    """What became of a finished run, and what was measured before.

    Attributes:
        finished: the run.
        publication: what became of it.
        gates: how it passed.
        measured: what they were given.
        moves: some of the items whose category changes.
        moved: from where to where most of these go.
        drift: from what came before; None where it was not judged.
    """

    finished: Finished
    publication: Publication
    gates: list[GateResult]
    measured: Measured
    moves: list[dict[str, Any]]
    moved: list[dict[str, Any]]
    drift: Drift | None = None


@dataclass(frozen=True)
class Told:
    """What a report says in short: its headline, and some lines for the terminal."""

    headline: str
    lines: Sequence[str]


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

    def did(self, finished: Finished) -> str:
        """Return what becomes of how many items, in a few words for the table's history."""

    def change(self, finished: Finished) -> Change | None:
        """Return what the run does to the table, or None where that is nothing."""

    def carry_answers(self, run: Run, annotations: str) -> None:
        """Take people's answers along where the table moves; doing it again adds nothing."""

    def report(self, judged: Judged, reading: ReadingConfig) -> Told:
        """Write the report; return what it says in short."""


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


def decided_by_people(totals: Totals) -> list[str]:
    """Say how many of a run's rows people have decided; nothing where there are none."""
    decided = totals.decisions.get(Decision.PERSON, 0)
    return [f"{decided:,} decided by people"] if decided else []
