"""Processes beside the actors, on CPU-only nodes where there are any, fetch and decode for them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray

from lib.cluster.pool_preparer import pack
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer, StuckError
from lib.inference.config import Decode, EngineConfig, UnitJob
from lib.models.bundle import read_bundle
from lib.runs.receipt import Receipt

CORES = 1.0  # that a helper reserves; its threads wait for the store most of the time
SPARED = 1.0  # cores that are left to Ray Data's own tasks


@ray.remote(max_restarts=-1, max_task_retries=2)
class Helper:
    """Fetches and decodes for others, in a process of its own."""

    def __init__(self, job: UnitJob) -> None:
        """Make the threads and the connections."""
        storage = job.run.storage
        info = read_bundle(job.bundle_uri, storage).info
        self._preparer = Preparer(info.preprocessing, job.reading, storage.config)

    def prepare(self, items: Sequence[tuple[str, str | None]]) -> tuple[Pixels, list[Prepared]]:
        """Prepare items, each a URI and an etag; return their pixels, and all else beside."""
        uris, etags = zip(*items, strict=True)
        try:
            return pack(self._preparer.stream(uris, etags))
        except StuckError:
            os._exit(1)  # only the end of the process ends its thread; Ray starts another


@contextmanager
def helpers(job: UnitJob, reserved: float, sample: Callable[[], Receipt]) -> Iterator[list[Any]]:
    """Start the helpers that the run file asks for; none where actors decode inline.

    Args:
        job: of all units.
        reserved: cores that the actors reserve in all.
        sample: classifies some items on one actor; called where rates must be measured.
    """
    count, free = count_helpers(job.engine, reserved, sample), free_cores(reserved)
    # where every core is spoken for, one helper shares them
    cores = CORES if count <= free else 0
    started = [Helper.options(num_cpus=cores).remote(job) for _ in range(count)]  # type: ignore[attr-defined]  # Ray adds it
    try:
        yield started
    finally:
        for helper in started:
            ray.kill(helper)


def count_helpers(engine: EngineConfig, reserved: float, sample: Callable[[], Receipt]) -> int:
    """Say how many helpers `helpers` starts for the same arguments."""
    return helper_count(
        engine.decode,
        free=free_cores(reserved),
        gpus=0 if engine.device == "cpu" else gpus(),
        cpu_nodes=has_cpu_nodes(),
        short=lambda: cores_short(sample(), engine.cpus_per_actor) * (engine.actors or gpus()),
    )


def has_cpu_nodes() -> bool:
    """Whether there are nodes that have cores and no GPU beside nodes with GPUs."""
    return gpus() > 0 and bool(_cores(with_gpu=False))


def free_cores(reserved: float) -> float:
    """Cores for helpers: those of nodes without a GPU, else what the actors leave over."""
    if has_cpu_nodes():
        return _cores(with_gpu=False)
    return _cores(with_gpu=True) + _cores(with_gpu=False) - reserved - SPARED


def gpus() -> int:
    """GPUs of the cluster, as it is now."""
    return int(ray.cluster_resources().get("GPU", 0))


def _cores(*, with_gpu: bool) -> float:
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = [each.get("CPU", 0.0) for each in alive if bool(each.get("GPU")) == with_gpu]
    return float(sum(found))


WORTH_IT = 1.2  # the model must be this much faster: pixels that travel cost something, too


def helper_count(
    decode: Decode, *, free: float, gpus: int, cpu_nodes: bool, short: Callable[[], float]
) -> int:
    """Say how many helpers, of one core each, fetch and decode for the actors.

    Args:
        decode: of the run file.
        free: cores that nobody has reserved, of nodes without a GPU where there are any.
        gpus: that actors classify on.
        cpu_nodes: whether there are nodes without a GPU beside those with one.
        short: measures how many cores the actors need beside their own.
    """
    most = max(int(free), 0)
    if decode == "pool":
        return max(most, 1)
    if decode == "inline" or not gpus:
        return 0
    # cores beside a GPU are idle otherwise, and as processes they decode three times what an
    # actor's threads do, which wait for each other's Python
    return min(most, round(short())) if cpu_nodes else most


def cores_short(receipt: Receipt, cores: float) -> float:
    """Say how many more cores an actor needs for its images to keep its model busy.

    Args:
        receipt: of a sample that the actor has fetched, decoded and classified.
        cores: that it decodes on.

    Returns:
        Cores of other nodes, 0 where its own are enough.
    """
    if not receipt.forward_s:
        return 0.0
    needed = receipt.decode_s / receipt.forward_s
    return needed - cores if needed > WORTH_IT * cores else 0.0
