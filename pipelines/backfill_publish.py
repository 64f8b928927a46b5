"""Publishing a backfill: gates on what the migration does not explain, its change, its report."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from lib.backfill.allowed_moves import write_expected
from lib.images.config import ReadingConfig
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.reports.migration_rows import look_at
from lib.runs import files
from lib.runs.progress import plural
from lib.runs.run import Run
from lib.sql import open_duckdb
from lib.taxonomy.migration import Migration
from pipelines.answers import carry_answers
from pipelines.backfill_plan import BackfillPlan, read_migration, read_plan
from pipelines.backfill_report import write_report
from pipelines.publication import (
    DUCK_MB,
    Finished,
    Judged,
    Told,
    decided_by_people,
    unfinished,
)


@dataclass(frozen=True)
class BackfillPublisher:
    """Publishes a whole table in another taxonomy."""

    planned: BackfillPlan
    migration: Migration

    @classmethod
    def of(cls, run: Run) -> "BackfillPublisher":
        """Read what a run was planned against.

        Raises:
            InputError: its plan was not wholly written.
        """
        if (planned := read_plan(run)) is None:
            raise unfinished(run)
        return cls(planned, read_migration(run))

    @property
    def base_version(self) -> int | None:
        """As `Publisher`."""
        return self.planned.base_version

    def did(self, finished: Finished) -> str:
        """As `Publisher`."""
        rows = plural(finished.manifest.totals.items, "row")
        moved = f"{rows} moved to taxonomy version {self.migration.new.version}"
        if self.migration.stays:
            moved = f"{rows} labelled anew by another head"
        return "; ".join([moved, *decided_by_people(finished.manifest.totals)])

    def compare(
        self, connection: duckdb.DuckDBPyConnection, finished: Finished
    ) -> tuple[Path, Path]:
        """As `Publisher`: a row that the migration lets move counts as one that has not.

        Where only the head is another, each row that moves counts, as in a night.
        """
        expected, removed = finished.folder / "expected.parquet", finished.folder / files.REMOVED
        parquet.write_table(pa.table({"item_id": pa.array([], pa.string())}), removed)
        if self.migration.stays:
            return finished.before, removed
        write_expected(connection, self.migration, finished.before, finished.rows, expected)
        return expected, removed

    def change(self, finished: Finished) -> Change | None:
        """As `Publisher`."""
        return Change(
            run_id=finished.run.run_id,
            base=self.planned.base_version,
            parts=[finished.run.at(part.path) for part in finished.manifest.parts],
            removed=None,
            whole=True,
        )

    def drift(self, _finished: Finished, _table: LabelsTable) -> None:
        """As `Publisher`: the photos are those that the table has already."""

    def carry_answers(self, run: Run, annotations: str) -> None:
        """As `Publisher`: they are mapped as the labels are."""
        carry_answers(annotations, self.migration, run.storage)

    def report(self, judged: Judged, reading: ReadingConfig) -> Told:
        """As `Publisher`."""
        finished, held_out = judged.finished, None
        run = finished.run
        if run.exists(files.HELD_OUT):
            held_out = finished.folder / files.HELD_OUT
            run.storage.download(run.at(files.HELD_OUT), held_out)
        with open_duckdb(DUCK_MB) as connection:
            rows = look_at(connection, self.migration, finished.before, finished.rows, held_out)
        headline = write_report(judged, self.planned, self.migration, rows, reading)
        totals = finished.manifest.totals
        review = totals.decisions.get("review", 0)
        labelled = f"{totals.labelled:,} of {totals.items:,} items labelled"
        said = f"{labelled}, {review:,} of them for review, {plural(totals.error_count, 'error')}"
        return Told(headline, [said, *decided_by_people(totals)])
