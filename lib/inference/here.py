"""The engine without Ray: units run in processes of this machine."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from lib.inference.config import EngineConfig, UnitJob
from lib.inference.where import count_gpus
from lib.models.options import UNITS_AT_ONCE
from lib.processes import Process, Processes, Work, cores
from lib.runs.metrics_log import UnitFigures
from lib.runs.node_clock import clocked
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt

FEW_ITEMS = 500  # that processes are done with before they would have imported torch


@dataclass(frozen=True)
class _Classifying:
    """Makes what classifies units, in a process of its own."""

    job: UnitJob
    few: bool

    def __call__(self) -> Work:
        from lib.images.preparer import StuckError  # noqa: PLC0415  # decoders are the processes', not the job's
        from lib.inference.classify_unit import UnitClassifier  # noqa: PLC0415  # as above

        classifier = UnitClassifier(self.job, few=self.few)

        def run(unit: int) -> Receipt:
            try:
                return classifier.run(unit)
            except StuckError:
                # A thread that decodes for ever cannot be ended; its process can. The next one
                # does the same unit with care, since this attempt is on record.
                os._exit(1)

        return run


@dataclass(frozen=True)
class _Trying:
    """Makes what tries a job on a sample, in a process of its own."""

    job: UnitJob
    sample: pa.Table

    def __call__(self) -> Work:
        from lib.inference.classify_unit import try_on  # noqa: PLC0415  # as above

        return lambda _: try_on(self.job, self.sample)


def classify_units(
    job: UnitJob, units: list[int], figures: UnitFigures, ahead: Process | None = None
) -> Iterator[Receipt]:
    """Classify units on this machine; yield each one's receipt as soon as its shard is written.

    Args:
        job: what all units have in common.
        units: of the run's plan.
        figures: of the run; takes the node hours.
        ahead: a process that becomes one of those that classify; or None.

    Raises:
        ReshelveError: a unit failed as a whole, or ends its process each time; the message is
            the worker's own.
    """
    places = environments(job.engine)[: len(units)]
    few = Plan(job.run).count(units) <= FEW_ITEMS
    work = _Classifying(replace(job, command=secrets.token_hex(4)), few)
    # units count their attempts themselves
    with Processes(work, places, UNITS_AT_ONCE, tries=None, ahead=ahead) as processes:
        yield from clocked(processes.run(units), figures, lambda: nodes(job.engine))


def classify_sample(job: UnitJob, sample: pa.Table) -> Receipt:
    """Classify a few items as one of the processes would; return the receipt."""
    with Processes(_Trying(job, sample), environments(job.engine)[:1]) as processes:
        (receipt,) = processes.run([0])
    found: Receipt = receipt
    return found


def environments(engine: EngineConfig) -> list[dict[str, str]]:
    """Return the environment of each process: one per GPU, else one per `cpus_per_actor`."""
    if not (gpus := count_gpus(engine)):
        return [{}] * (engine.actors or max(1, cores() // engine.cpus_per_actor))
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
    return [{"CUDA_VISIBLE_DEVICES": seen[n % gpus]} for n in range(engine.actors or gpus)]


def nodes(engine: EngineConfig) -> dict[str, int]:
    """Return the kind of this machine, as a node that is paid for, and that it is one."""
    return {"gpu" if count_gpus(engine) else "cpu": 1}
