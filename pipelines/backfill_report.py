"""The report of a backfill: what flowed where, with pictures of what moved."""

from typing import Any

from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation
from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.models.bundle import Bundle, read_bundle
from lib.reports.data import ContactSheet, Thumbnail
from lib.reports.formats import items as items_of
from lib.reports.migration_data import MigrationReport
from lib.reports.migration_rows import BackfillRows
from lib.reports.render import render_migration
from lib.runs import files
from lib.runs.run import Run
from lib.taxonomy.migration import Migration
from pipelines.backfill_plan import BackfillPlan, FitRecord
from pipelines.publication import Judged, heading

ARROW = "\N{RIGHTWARDS ARROW}"


def write_report(
    judged: Judged,
    planned: BackfillPlan,
    migration: Migration,
    rows: BackfillRows,
    reading: ReadingConfig,
) -> None:
    """Write the report into the run's folder."""
    finished = judged.finished
    run, manifest = finished.run, finished.manifest
    bundle = read_bundle(manifest.bundle, run.storage)
    evaluation, evaluated_on, facts = judge_labels(run, rows, bundle)
    pictures = show(run, rows, judged.moves, reading)
    report = MigrationReport(
        **heading(judged, bundle),
        base_version=planned.base_version,
        old_version=migration.old.version,
        new_version=migration.new.version,
        old_bundle=run.record.run_file["bundle"],
        by_rule=planned.routes.rule,
        by_model=planned.routes.model,
        by_pixels=planned.routes.pixels,
        seconds=manifest.seconds,
        confidence_counts=rows.histogram,
        flows=rows.flows,
        categories=rows.categories,
        moved=[
            ContactSheet(
                category=f"{was} {ARROW} {becomes}",
                items=some[0]["items"],
                thumbnails=[pictures[row["item_id"]] for row in some],
            )
            for (was, becomes), some in rows.samples.items()
        ],
        unexpected=[pictures[row["item_id"]] for row in judged.moves],
        review=[pictures[row["item_id"]] for row in rows.review],
        evaluation=evaluation,
        evaluated_on=evaluated_on,
        facts=facts,
    )
    run.write(files.REPORT, render_migration(report).encode())


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


def show(
    run: Run, found: BackfillRows, moves: list[dict[str, Any]], reading: ReadingConfig
) -> dict[str, Thumbnail]:
    """Fetch the pictures of the items that the report shows, by item id."""
    every = [*moves, *found.review]
    every += [row for some in found.samples.values() for row in some]
    rows = {row["item_id"]: row for row in every}
    jpegs = read_thumbnails([row["uri"] for row in rows.values()], reading, run.storage.config)
    return {
        item_id: Thumbnail(
            jpeg=jpeg,
            item_id=item_id,
            name=None,
            category=f"{row['was_path']} {ARROW} {row['category_path']}",
            confidence=row["confidence"],
        )
        for (item_id, row), jpeg in zip(rows.items(), jpegs, strict=True)
    }
