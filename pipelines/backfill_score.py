"""The parts of a backfill: one for each unit of its plan, written by its workers and read back."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import pyarrow as pa
import torch
from pyarrow import parquet

from lib.backfill.score_unit import ScoreJob, UnitScorer
from lib.hashing import digest_bytes
from lib.images.memory_limit import return_what_is_freed
from lib.runs.compaction import Part, check_rows, part_path
from lib.runs.plan import Plan
from lib.runs.progress import ItemProgress
from lib.runs.receipt import Receipt, Totals, add_up
from lib.runs.run import Run
from lib.runs.shards import RECEIPT_KEY
from lib.taxonomy.migration import Migration
from pipelines.backfill_plan import PLAN, BackfillPlan

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


def score_units(job: ScoreJob, units: Sequence[int], workers: int | None) -> Iterator[Receipt]:
    """Score units; give each one's receipt as soon as its part is written.

    Threads do it, since the product lets other threads run, and a Ray of one's own takes as long
    to start as half a million rows to score; where RAY_ADDRESS names a cluster, its actors do.

    Args:
        job: what all units have in common.
        units: of the plan.
        workers: at a time; None takes one a core.

    Raises:
        ReshelveError: a unit failed as a whole; the message is the worker's own.
    """
    if os.environ.get("RAY_ADDRESS"):
        from lib.cluster.score_units import score_on_ray  # noqa: PLC0415  # Ray takes a second

        yield from score_on_ray(job, units, workers)
    else:
        yield from _in_threads(job, units, workers)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _in_threads(job: ScoreJob, units: Sequence[int], workers: int | None) -> Iterator[Receipt]:
    own = threading.local()

    def run(unit: int) -> Receipt:
        if not hasattr(own, "scorer"):
            own.scorer = UnitScorer(job)
        receipt: Receipt = own.scorer.run(unit)
        return receipt

    return_what_is_freed()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each worker is one thread
    pool = ThreadPoolExecutor(workers or cores())
    try:
        for done in as_completed([pool.submit(run, unit) for unit in units]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
