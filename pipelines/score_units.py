"""Scoring units in parallel: threads of this process, or actors of a Ray cluster."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch

from lib.memory import return_what_is_freed
from lib.receipt import Receipt
from lib.scoring import ScoreJob, UnitScorer


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
        from pipelines.score_on_ray import score_on_ray  # noqa: PLC0415  # Ray takes a second

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
