"""Publishing a backfill: gates on what the migration does not explain, one commit, the report."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lib.backfill.allowed_moves import write_expected
from lib.errors import InputError
from lib.labels.delta_table import Change, LabelsTable
from lib.labels.gates import Files, GateResult, judge, measure_changes, moved_items
from lib.reports.migration_rows import BackfillRows, look_at
from lib.runs.manifest import Manifest, read_manifest
from lib.runs.run import Run
from lib.sql import open_duckdb
from lib.taxonomy.migration import Migration
from pipelines.backfill_plan import DUCK_MB, HELD_OUT, BackfillPlan, read_migration, read_plan
from pipelines.backfill_report import Shown, write_report
from pipelines.publication import BEFORE, Publication, PublishConfig, commit, refused_by


@dataclass(frozen=True)
class Local:
    """Copies of what is compared, in a local folder."""

    rows: list[Path]
    before: Path
    held_out: Path | None


def publish_backfill(config: PublishConfig, run: Run, say: Callable[[str], None]) -> None:
    """Publish a finished backfill, write its report, and end it.

    Raises:
        InputError: the run is not finished, or the table cannot be written.
        GateError: a gate failed; the table is as it was.
        ConflictError: another run has changed the table meanwhile.
    """
    manifest, planned = read_manifest(run.uri, run.storage), read_plan(run)
    if manifest is None or planned is None:
        raise InputError(f"{run.uri}: this run is not finished; the command that began it goes on")
    migration = read_migration(run)
    table = LabelsTable(config.labels_table, run.storage)
    with tempfile.TemporaryDirectory() as folder:
        local = fetch(run, manifest, planned, table, Path(folder))
        gates, unexpected = judge_moves(config, migration, local, Path(folder))
        publication = take_in(run, manifest, planned, table, gates)
        say(publication.sentence)
        with open_duckdb(DUCK_MB) as connection:
            rows: BackfillRows = look_at(
                connection, migration, local.before, local.rows, local.held_out
            )
    shown = Shown(
        manifest=manifest,
        planned=planned,
        migration=migration,
        publication=publication,
        gates=gates,
        rows=rows,
        unexpected=unexpected,
    )
    write_report(run, shown, config.reading)
    run.end({"state": publication.state, "sentence": publication.sentence})
    totals = manifest.totals
    review = totals.decisions.get("review", 0)
    say(
        f"{totals.labelled:,} of {totals.items:,} items labelled, {review:,} of them for review, "
        f"{totals.error_count:,} errors"
    )
    say(f"report: {run.at('report.html')}")
    if publication.error:
        raise publication.error


def fetch(
    run: Run, manifest: Manifest, planned: BackfillPlan, table: LabelsTable, folder: Path
) -> Local:
    """Bring what is compared into a local folder."""
    before = folder / "before.parquet"
    table.dump(planned.base_version, BEFORE, before)
    rows = [folder / f"{number}.parquet" for number, _ in enumerate(manifest.parts)]
    for part, target in zip(manifest.parts, rows, strict=True):
        run.storage.download(run.at(part.path), target)
    held_out = None
    if run.storage.exists(run.at(HELD_OUT)):
        held_out = folder / HELD_OUT
        run.storage.download(run.at(HELD_OUT), held_out)
    return Local(rows, before, held_out)


def judge_moves(
    config: PublishConfig, migration: Migration, local: Local, folder: Path
) -> tuple[list[GateResult], list[dict[str, Any]]]:
    """Hold what the migration does not explain against the gates; give some of those rows too."""
    expected, removed = folder / "expected.parquet", folder / "removed.parquet"
    parquet.write_table(pa.table({"item_id": pa.array([], pa.string())}), removed)
    with open_duckdb(DUCK_MB) as connection:
        write_expected(connection, migration, local.before, local.rows, expected)
        files = Files(rows=local.rows, before=expected, removed=removed)
        gates = judge(config.gates, measure_changes(connection, files))
        return gates, moved_items(connection)


def take_in(
    run: Run,
    manifest: Manifest,
    planned: BackfillPlan,
    table: LabelsTable,
    gates: list[GateResult],
) -> Publication:
    """Publish the run, or say why not."""
    if error := refused_by(gates):
        return Publication(table=table.name, error=error)
    change = Change(
        run_id=run.run_id,
        base=planned.base_version,
        parts=[run.at(part.path) for part in manifest.parts],
        removed=None,
        whole=True,
    )
    return commit(change, table)
