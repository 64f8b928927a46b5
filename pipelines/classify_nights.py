"""The nights of a labels table, in the few figures that a report draws lines of."""

from collections.abc import Iterator

from lib.labels.delta_table import LabelsTable
from lib.labels.history import standing
from lib.reports.data import NightFigures
from lib.runs.manifest import read_manifest
from lib.runs.receipt import Totals
from lib.runs.run import Run, open_folder

NIGHTS = 14  # that are shown
COMMITS = 60  # how far back runs are looked for


def night_figures(totals: Totals, measured: dict[str, float]) -> NightFigures:
    """Return what is drawn of a night.

    Args:
        totals: of the night's manifest.
        measured: what its gates were given, by name; nothing of a night of an older version.
    """
    return NightFigures(
        items=totals.items,
        review=totals.decisions.get("review", 0),
        errors=totals.error_count,
        category_changes=measured.get("category_changes"),
        drift=measured.get("drift"),
        people=totals.decisions.get("person", 0),
    )


def nights_before(run: Run, table: LabelsTable) -> list[NightFigures]:
    """Return the nights that were published before a run and still stand, the oldest first.

    Those whose folder is gone are passed over.
    """
    found: list[NightFigures] = []
    for night in runs_before(run, table):
        if len(found) == NIGHTS - 1:
            break
        if (manifest := read_manifest(night)) is None or night.record.job != "classify":
            continue
        measured = (night.outcome or {}).get("measured", {})
        found.append(night_figures(manifest.totals, measured))
    return found[::-1]


def runs_before(run: Run, table: LabelsTable) -> Iterator[Run]:
    """Yield the runs that have made a table what it is, but for one of them, the newest first."""
    for version in standing(table.history(COMMITS)):
        if version.made.run:
            before = open_folder(version.made.run, run.storage)
            if before.uri != run.uri:
                yield before
