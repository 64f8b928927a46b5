"""Publishing a classification: what its gates compare, its change to the table, its report."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from lib.drift.comparison import Drift
from lib.images.config import ReadingConfig
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.reports.formats import items as items_of
from lib.runs import files
from lib.runs.progress import plural
from lib.runs.run import Run
from pipelines.classify_drift import drift_of
from pipelines.classify_plan import NightPlan, read_night
from pipelines.publication import Finished, Judged, Told, decided_by_people, unfinished


@dataclass(frozen=True)
class NightPublisher:
    """Publishes what a night has changed."""

    night: NightPlan

    @classmethod
    def of(cls, run: Run) -> "NightPublisher":
        """Read what a run was planned against.

        Raises:
            InputError: its plan was not wholly written.
        """
        if (night := read_night(run)) is None:
            raise unfinished(run)
        return cls(night)

    @property
    def base_version(self) -> int | None:
        """As `Publisher`."""
        return self.night.base_version

    def did(self, finished: Finished) -> str:
        """As `Publisher`."""
        totals, said = finished.manifest.totals, [self.night.diff.changes]
        if errors := totals.error_count:
            said.append(plural(errors, "error"))
        return "; ".join([*said, *decided_by_people(totals)])

    def compare(self, _: duckdb.DuckDBPyConnection, finished: Finished) -> tuple[Path, Path]:
        """As `Publisher`."""
        run, removed = finished.run, finished.folder / files.REMOVED
        run.storage.download(run.at(files.REMOVED), removed)
        return finished.before, removed

    def change(self, finished: Finished) -> Change | None:
        """As `Publisher`."""
        run, parts = finished.run, finished.manifest.parts
        removed = run.at(files.REMOVED) if self.night.diff.removed else None
        if not parts and removed is None:
            return None
        return Change(
            run_id=run.run_id,
            base=self.night.base_version,
            parts=[run.at(part.path) for part in parts],
            removed=removed,
        )

    def drift(self, finished: Finished, table: LabelsTable) -> Drift | None:
        """As `Publisher`."""
        return drift_of(finished, table)

    def carry_answers(self, run: Run, annotations: str) -> None:
        """As `Publisher`: the table stays in its taxonomy, and they stay where they are."""

    def report(self, judged: Judged, reading: ReadingConfig) -> Told:
        """As `Publisher`."""
        from pipelines.classify_report import write_report  # noqa: PLC0415  # as `load_report` says

        headline, evaluation = write_report(judged, self.night, reading)
        totals = judged.finished.manifest.totals
        labelled = f"{totals.labelled:,} of {totals.items:,} items labelled"
        lines = [
            f"{labelled}, {plural(totals.error_count, 'error')}",
            *(f"  {reason}: {count:,}" for reason, count in totals.errors.items()),
            *decided_by_people(totals),
        ]
        if judged.drift:
            lines += [judged.drift.sentence, *judged.drift.unfamiliar_sentences]
        if evaluation:
            known = f"{items_of(evaluation.items)} with a known label"
            lines.append(f"accuracy {evaluation.accuracy:.1%} on {known}")
        return Told(headline, lines)


def load_report() -> None:
    """Load what writes the report, which takes a second, while others classify."""
    from lib.reports.render import load_page  # noqa: PLC0415  # as above
    from pipelines import classify_report  # noqa: F401, PLC0415  # as above

    load_page("classification")
