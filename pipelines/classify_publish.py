"""Publishing a classification: gates, one commit, the report, the end of the run."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from pyarrow import parquet

from lib.errors import InputError
from lib.labels.delta_table import Change, LabelsTable
from lib.labels.gates import Files, GateResult, judge, measure_changes, moved_items
from lib.reports.formats import items as items_of
from lib.runs.manifest import Manifest, read_manifest
from lib.runs.run import Run
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb
from pipelines.classify_plan import NIGHT, REMOVED, NightPlan
from pipelines.classify_report import Shown, write_report
from pipelines.publication import BEFORE, Publication, PublishConfig, commit, refused_by


def publish_run(config: PublishConfig, run: Run, say: Callable[[str], None]) -> None:
    """Publish a finished run, write its report, and end it.

    Raises:
        InputError: the run is not finished, or the table cannot be written.
        GateError: a gate failed; the table is as it was.
        ConflictError: another run has published the same items meanwhile.
    """
    manifest = read_manifest(run.uri, run.storage)
    if manifest is None:
        raise InputError(f"{run.uri}: this run is not finished; the command that began it goes on")
    night = NightPlan.model_validate_json(run.storage.read(run.at(NIGHT)))
    table = LabelsTable(config.labels_table, run.storage)
    with tempfile.TemporaryDirectory() as folder:
        files = fetch_files(run, manifest, night, table, Path(folder))
        with open_duckdb() as connection:
            gates = judge(config.gates, measure_changes(connection, files))
            moves = moved_items(connection)
    publication = take_in(run, manifest, night, table, gates)
    shown = Shown(
        manifest=manifest, diff=night.diff, publication=publication, gates=gates, moves=moves
    )
    evaluation = write_report(run, shown, config.reading)
    run.end({"state": publication.state, "sentence": publication.sentence})
    totals = manifest.totals
    say(f"{totals.labelled:,} of {totals.items:,} items labelled, {totals.error_count:,} errors")
    for reason, count in totals.errors.items():
        say(f"  {reason}: {count:,}")
    if evaluation:
        say(
            f"accuracy {evaluation.accuracy:.1%} on {items_of(evaluation.items)} with a known label"
        )
    say(f"report: {run.at('report.html')}")
    if publication.error:
        raise publication.error
    say(publication.sentence)


def take_in(
    run: Run, manifest: Manifest, night: NightPlan, table: LabelsTable, gates: list[GateResult]
) -> Publication:
    """Publish the run, or say why not."""
    if error := refused_by(gates):
        return Publication(table=table.name, error=error)
    change = Change(
        run_id=run.run_id,
        base=night.base_version,
        parts=[run.at(part.path) for part in manifest.parts],
        removed=run.at(REMOVED) if night.diff.removed else None,
    )
    if not change.parts and not change.removed:
        return Publication(table=table.name, version=night.base_version, unchanged=True)
    return commit(change, table)


def fetch_files(
    run: Run, manifest: Manifest, night: NightPlan, table: LabelsTable, folder: Path
) -> Files:
    """Bring what the gates compare into a local folder."""
    before, removed = folder / "before.parquet", folder / REMOVED
    table.dump(night.base_version, BEFORE, before)
    run.storage.download(run.at(REMOVED), removed)
    rows = [folder / f"{number}.parquet" for number, _ in enumerate(manifest.parts)]
    for part, target in zip(manifest.parts, rows, strict=True):
        run.storage.download(run.at(part.path), target)
    if not rows:
        rows.append(folder / "none.parquet")
        parquet.write_table(LABELS_SCHEMA.empty_table(), rows[0])
    return Files(rows=rows, before=before, removed=removed)
