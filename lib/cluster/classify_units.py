"""The engine: Ray Data streams units, one row each, through a pool of actors."""

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ray.data

from lib.cluster.decode_helpers import helpers
from lib.cluster.monitor import watched
from lib.cluster.pool import Pool, classify_sample
from lib.cluster.worker_errors import worker_errors
from lib.inference.config import SAMPLE_ITEMS, UnitJob
from lib.models.options import UNITS_AT_ONCE
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt

LOGGER = logging.getLogger(__name__)


class UnitActor:
    """What Ray Data calls: a batch of one unit in, its receipt out."""

    def __init__(self, job: UnitJob, helpers: Sequence[Any]) -> None:
        """Load the model, once per actor; helpers, where there are any, fetch and decode for it."""
        from lib.cluster.pool_preparer import PoolPreparer  # noqa: PLC0415  # as above
        from lib.inference.classify_unit import UnitClassifier  # noqa: PLC0415  # torch is the actors', not the job's

        prepare = partial(PoolPreparer, helpers) if helpers else None
        self._classifier = UnitClassifier(job, prepare)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Classify each unit of the batch."""
        from lib.images.preparer import StuckError  # noqa: PLC0415  # as above

        try:
            receipts = [self._classifier.run(int(unit)) for unit in batch["unit"]]
        except StuckError:
            # A thread that decodes for ever cannot be ended; its process can. Ray starts another
            # and gives it the same unit, which it does with care, since this attempt is on record.
            LOGGER.exception("this process ends, since one of its threads is stuck")
            os._exit(1)
        return {"receipt": [receipt.model_dump_json() for receipt in receipts]}


def classify_units(job: UnitJob, units: list[int], figures: UnitFigures) -> Iterator[Receipt]:
    """Classify units on the cluster; yield each one's receipt as soon as its shard is written.

    Args:
        job: what all units have in common; Ray must be connected.
        units: of the run's plan.
        figures: of the run; takes the node hours.

    Raises:
        ReshelveError: a unit failed as a whole, or ends its process each time; the message is
            the worker's own.
    """
    yield from watched(_stream(job, units), job.run.run_id, figures)


def _stream(job: UnitJob, units: list[int]) -> Iterator[Receipt]:
    pool = Pool(job.engine)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # else what a unit raises comes back as a text of Ray's, without our sentence
    context.raise_original_map_exception = True
    # what ends the stream comes back as an exception; Ray Data would print it as pages of frames
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)

    def sample() -> Receipt:
        return classify_sample(job, pool, Plan(job.run).read(units[0]).slice(0, SAMPLE_ITEMS))

    with worker_errors(), helpers(job, pool.actors * pool.num_cpus, sample) as started:
        dataset = ray.data.from_items(
            [{"unit": unit} for unit in units], override_num_blocks=len(units)
        ).map_batches(
            UnitActor,
            fn_constructor_kwargs={
                "job": replace(job, command=secrets.token_hex(4)),
                "helpers": started,
            },
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(
                size=min(pool.actors, len(units)),
                max_concurrent_calls_per_actor=UNITS_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=pool.num_cpus,
            num_gpus=pool.num_gpus,
        )
        for row in dataset.iter_rows():
            yield Receipt.model_validate_json(row["receipt"])
