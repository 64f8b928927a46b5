"""The report of a backfill: what flowed where, with pictures of what moved."""

from itertools import chain

from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation
from lib.images.config import ReadingConfig
from lib.models.bundle import Bundle, read_bundle
from lib.reports.data import ContactSheet
from lib.reports.formats import items as items_of
from lib.reports.migration_data import MigrationReport
from lib.reports.migration_rows import BackfillRows
from lib.reports.render import render_migration
from lib.reports.verdicts import migration_verdict
from lib.runs import files
from lib.runs.run import Run
from lib.taxonomy.migration import Migration
from pipelines.backfill_plan import BackfillPlan, FitRecord
from pipelines.publication import Judged, heading
from pipelines.report_pictures import ARROW, pick, rows_of, show


def write_report(
    judged: Judged,
    planned: BackfillPlan,
    migration: Migration,
    rows: BackfillRows,
    reading: ReadingConfig,
) -> str:
    """Write the report into the run's folder; return its headline."""
    finished = judged.finished
    run, manifest = finished.run, finished.manifest
    bundle = read_bundle(manifest.bundle, run.storage)
    evaluation, evaluated_on, facts = judge_labels(run, rows, bundle)
    was = {row["item_id"]: row["was_path"] for row in [*judged.moves, *rows.review]}
    was |= {row["item_id"]: row["was_path"] for some in rows.samples.values() for row in some}
    # of another head, each move is as expected as any other
    moves = [] if migration.stays else [row["item_id"] for row in judged.moves]
    unexpected = rows_of(moves, finished.rows)
    every = [*unexpected, *rows.review, *chain(*rows.samples.values())]
    pictures = show(every, {}, bundle.taxonomy, run.storage.config, reading)
    report = MigrationReport(
        **heading(judged, bundle),
        base_version=planned.base_version,
        old_version=migration.old.version,
        new_version=migration.new.version,
        old_bundle=run.record.run_file["bundle"],
        routes=planned.routes.sentence,
        seconds=manifest.seconds,
        confidence_counts=rows.histogram,
        flows=rows.flows,
        categories=rows.categories,
        moved=[
            ContactSheet(
                category=f"{old} {ARROW} {new}",
                items=some[0]["items"],
                thumbnails=pick(some, pictures, was),
            )
            for (old, new), some in rows.samples.items()
        ],
        unexpected=pick(unexpected, pictures, was),
        review=pick(rows.review, pictures, was),
        evaluation=evaluation,
        evaluated_on=evaluated_on,
        facts=facts,
    )
    run.write(files.REPORT, render_migration(report).encode())
    return migration_verdict(report).headline


def judge_labels(
    run: Run, rows: BackfillRows, bundle: Bundle
) -> tuple[Evaluation | None, str, list[tuple[str, str]]]:
    """Return an estimate of accuracy, what it is made on, and facts of the head's fitting."""
    fit = run.find(files.FIT, FitRecord)
    facts = []
    if fit:
        facts = [
            ("Head fitted on", items_of(fit.train_items)),
            ("Old labels in doubt, left out", f"{fit.in_doubt:,}"),
            ("Labelled items without an embedding", f"{fit.without_embedding:,}"),
        ]
    if known := rows.known:
        truth, predicted = ([each[side] for each in known] for side in (0, 1))
        on = "rows of the table whose label is known and was held out"
        return evaluate(truth, predicted, bundle.taxonomy), on, facts
    if fit:
        return fit.evaluation, "held-out labelled items, by the head alone", facts
    return None, "", facts
