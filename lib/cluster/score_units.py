"""Scoring units on a Ray cluster: a pool of actors of one core each."""

from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.util import ActorPool

from lib.backfill.score_unit import ScoreJob
from lib.cluster.connection import connected, resources
from lib.cluster.monitor import watched
from lib.cluster.worker_errors import worker_errors
from lib.runs.metrics_log import UnitFigures
from lib.runs.receipt import Receipt


class ScoreActor:
    """Scores one unit after another."""

    def __init__(self, job: ScoreJob) -> None:
        """Load the head, once per actor."""
        import torch  # noqa: PLC0415  # torch is the actors', not the job's

        from lib.backfill.score_unit import UnitScorer  # noqa: PLC0415  # as above

        torch.set_num_threads(1)
        self._scorer = UnitScorer(job)

    def run(self, unit: int) -> str:
        """Score a unit; return its receipt as JSON."""
        return self._scorer.run(unit).model_dump_json()


def score_on_ray(
    job: ScoreJob, units: Sequence[int], workers: int | None, figures: UnitFigures
) -> Iterator[Receipt]:
    """Score units on the cluster; yield each one's receipt as soon as its part is written.

    Raises:
        ReshelveError: a unit failed as a whole; the message is the worker's own.
    """
    with connected(), worker_errors():
        count = min(workers or max(int(resources()[0]), 1), len(units))
        remote: Any = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=3)(ScoreActor)
        pool: Any = ActorPool([remote.remote(job) for _ in range(count)])
        found = pool.map_unordered(lambda actor, unit: actor.run.remote(unit), units)
        receipts = map(Receipt.model_validate_json, found)
        yield from watched(receipts, job.run.run_id, figures)
