"""Scoring a backfill: its units in threads or on a cluster, its parts read back and checked."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import pyarrow as pa
import torch
from pyarrow import parquet

from lib.backfill.score_unit import ScoreJob, UnitScorer
from lib.images.memory_limit import return_what_is_freed
from lib.runs.compaction import Part, check_rows, describe_part, finished_parts, part_path
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.progress import counted, stage
from lib.runs.receipt import Receipt, Totals, add_up
from lib.runs.run import Run
from lib.runs.shards import receipt_of
from pipelines.steps import Say, work_off

CHECKED = ["item_id", "error", "category_id", "decision"]


def score_left(job: ScoreJob, workers: int | None, figures: UnitFigures) -> None:
    """Relabel the units that have no part yet.

    Args:
        job: the backfill.
        workers: at a time; None takes one per core.
        figures: of the run.
    """

    def stream(units: list[int], figures: UnitFigures) -> Iterator[Receipt]:
        return score_units(job, units, workers, figures)

    plan = Plan(job.run)
    work_off(plan, finished_parts(job.run, plan), stream, figures)


def read_parts(run: Run, say: Say) -> tuple[list[Part], Totals]:
    """Read what the units' parts say of themselves, and compare their rows with the plan.

    Raises:
        ReshelveError: the rows of a part are not those of its unit.
    """
    plan = Plan(run)
    parts, receipts = [], []
    with stage(say, "checking the new rows", f"of {len(plan.units):,} parts") as count:
        for unit in counted(plan.units, count):
            data = run.read(part_path(unit))
            rows = parquet.read_table(pa.BufferReader(data), columns=CHECKED)
            check_rows(plan.read_ids(unit), rows, unit)
            receipts.append(receipt_of(rows.schema))
            parts.append(describe_part(part_path(unit), rows.num_rows, data))
    return parts, add_up(receipts)


def score_units(
    job: ScoreJob, units: Sequence[int], workers: int | None, figures: UnitFigures
) -> Iterator[Receipt]:
    """Score units; yield each one's receipt as soon as its part is written.

    Threads do it, since the product lets other threads run, and a Ray of one's own takes as long
    to start as half a million rows to score; where RAY_ADDRESS names a cluster, its actors do.

    Args:
        job: what all units have in common.
        units: of the plan.
        workers: at a time; None takes one per core.
        figures: of the run; takes the node hours of a cluster.

    Raises:
        ReshelveError: a unit failed as a whole; the message is the worker's own.
    """
    if os.environ.get("RAY_ADDRESS"):
        from lib.cluster.score_units import score_on_ray  # noqa: PLC0415  # Ray takes a second

        yield from score_on_ray(job, units, workers, figures)
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
