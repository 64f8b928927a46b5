"""The pool of actors that classify: its size, and what one of them does on a sample."""

import pyarrow as pa
import ray

from lib.cluster.connection import capacity, check_fits, resources
from lib.cluster.worker_errors import worker_errors
from lib.errors import InputError
from lib.inference.config import EngineConfig, UnitJob
from lib.runs.receipt import Receipt


class Pool:
    """Size of the pool and what each actor reserves, fitted to the cluster."""

    def __init__(self, engine: EngineConfig) -> None:
        """Take one actor a GPU where there are any, else one for every `cpus_per_actor`."""
        cpus, gpus = capacity()
        on_gpu = engine.device != "cpu" and gpus >= 1
        self.actors = engine.actors or max(
            1, int(gpus if on_gpu else cpus // engine.cpus_per_actor)
        )
        self.num_gpus = 1 if on_gpu else 0
        # Half of the threads' cores: a pool that reserves every core starves Ray Data's own tasks,
        # and the job hangs without a word.
        self.num_cpus = min(engine.cpus_per_actor / 2, cpus / 2 / self.actors)
        if engine.device == "cuda" and not on_gpu:
            raise InputError(
                "engine.device is cuda, but there is no GPU here; set it to cpu or auto"
            )
        now_cpus, now_gpus = resources()
        room = now_gpus if on_gpu else now_cpus // engine.cpus_per_actor
        # of the actors, those that there is room for as the cluster is just now
        self.share_now = min(max(room, 1) / self.actors, 1)
        check_fits(self.actors * self.num_cpus, self.actors * self.num_gpus, "engine.actors")


def classify_sample(job: UnitJob, pool: Pool, sample: pa.Table) -> Receipt:
    """Classify a few items as one actor would; return the receipt."""

    @ray.remote(num_cpus=pool.num_cpus, num_gpus=pool.num_gpus)
    def receipt_of() -> Receipt:
        from lib.inference.classify_unit import try_on  # noqa: PLC0415  # torch is the actors', not the job's

        return try_on(job, sample)

    with worker_errors():
        receipt: Receipt = ray.get(receipt_of.remote())
    return receipt
