"""The parts of a backfill: one for each unit of its plan, written by its workers and read back."""

import sys

import pyarrow as pa
from pyarrow import parquet

from lib.compact import Part, check_rows, part_path
from lib.digest import digest_bytes
from lib.migration import Migration
from lib.plan import Plan
from lib.progress import ItemProgress
from lib.receipt import Receipt, Totals, add_up
from lib.runs import Run
from lib.scoring import ScoreJob
from lib.shards import RECEIPT_KEY
from pipelines.plan_backfill import PLAN, BackfillPlan
from pipelines.score_units import score_units

CHECKED = ["item_id", "error", "category_id"]


def score_left(run: Run, migration: Migration, planned: BackfillPlan, workers: int | None) -> int:
    """Relabel the units that have no part yet; give how many rows they have.

    Args:
        run: the backfill.
        migration: from the old taxonomy to the new one.
        planned: what its plan is of.
        workers: at a time; None takes one a core.
    """
    plan_of, routes = Plan(run.at(PLAN), run.storage), planned.routes
    done = finished_parts(run)
    left = sorted(set(plan_of.units) - set(done))
    job = ScoreJob(
        run_id=run.run_id,
        run_uri=run.uri,
        plan_uri=run.at(PLAN),
        bundle_uri=run.at("bundle"),
        migration=migration,
        rule_units=routes.rule_units,
        embeddings=planned.embeddings,
        storage=run.storage.config,
    )
    items = 0
    with ItemProgress(plan_of.items, plan_of.count(done), sys.stdout) as progress:
        for receipt in score_units(job, left, workers):
            items += receipt.items
            progress.add(receipt.items, 0)
    return items


def finished_parts(run: Run) -> list[int]:
    """Units whose part is there, in order."""
    names = run.storage.names(run.at("labels"))
    units = Plan(run.at(PLAN), run.storage).units
    return [unit for unit in units if part_path(unit).rsplit("/", 1)[-1] in names]


def read_parts(run: Run) -> tuple[list[Part], Totals]:
    """Read what the units' parts say of themselves, and hold their rows against the plan.

    Raises:
        ReshelveError: the rows of a part are not those of its unit.
    """
    plan_of = Plan(run.at(PLAN), run.storage)
    parts, receipts = [], []
    for unit in plan_of.units:
        data = run.storage.read(run.at(part_path(unit)))
        rows = parquet.read_table(pa.BufferReader(data), columns=CHECKED)
        check_rows(plan_of.read_ids(unit), rows, unit)
        receipts.append(Receipt.model_validate_json(rows.schema.metadata[RECEIPT_KEY]))
        part = Part(
            path=part_path(unit),
            rows=rows.num_rows,
            size_bytes=len(data),
            sha256=digest_bytes(data),
        )
        parts.append(part)
    return parts, add_up(receipts)
