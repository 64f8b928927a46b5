"""A training by `train_on_ray`, with the moment of each epoch's record, and a worker to kill."""

import contextlib
import threading
import time
from dataclasses import dataclass

import psutil

from lib.cluster.train_workers import train_on_ray
from lib.cluster.workers_config import WorkersConfig
from lib.evaluation.held_out import Scored
from lib.training.history import EpochRecord
from lib.training.job import TrainingJob


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a training was seen to do.

    Attributes:
        records: of its epochs, in the order in which they came.
        at_s: when each came.
        cpu_s: of all workers since they began, when each came.
        began_s: when the training did.
        killed_at_s: when a worker was killed, or None.
        scored: held-out items under the trained model.
    """

    records: list[EpochRecord]
    at_s: list[float]
    cpu_s: list[float]
    began_s: float
    killed_at_s: float | None
    scored: Scored

    @property
    def between_s(self) -> list[float]:
        """Seconds from each epoch's end to the first step of the next: checkpoint and record."""
        pairs = zip(self.at_s, self.at_s[1:], self.records[1:], strict=False)
        return [after - before - record.seconds for before, after, record in pairs]

    @property
    def images_per_s(self) -> float:
        """Of all workers together, in the fastest epoch after the first."""
        return max(record.images_per_s for record in self.records[1:])

    def core_ms(self, images: int) -> float:
        """Return milliseconds of a core per image, in the epoch after the first that took fewest.

        With its checkpoint, and its held-out items.
        """
        used = (after - before for before, after in zip(self.cpu_s, self.cpu_s[1:], strict=False))
        return 1000 * min(used) / images

    @property
    def first_step_s(self) -> float:
        """Seconds until the first step, with the start of the workers and one checkpoint."""
        return self.at_s[0] - self.records[0].seconds - self.began_s

    @property
    def first_step_cpu_s(self) -> float:
        """CPU seconds of all workers until the first step: an epoch takes what the second does."""
        first, second = self.cpu_s[:2]
        return 2 * first - second

    @property
    def losses(self) -> list[float]:
        """Training loss of each epoch."""
        return [record.train_loss for record in self.records]


def watch_training(
    job: TrainingJob, count: int, kill_in: int | None = None, threads: int = 1
) -> Watched:
    """Train with so many workers on the cores of this machine.

    Args:
        job: the training.
        count: of workers.
        kill_in: the epoch in whose middle one worker is killed.
        threads: of each worker, where there are so many cores.
    """
    began_s = time.monotonic()
    records: list[EpochRecord] = []
    at_s: list[float] = []
    cpu_s: list[float] = []
    killed_at_s: list[float] = []
    workers: list[psutil.Process] = []

    def kill() -> None:
        # the first writes the checkpoints: to lose the youngest is no easier than to lose it
        worker = max(_workers(), key=lambda each: each.create_time())
        worker.kill()
        killed_at_s.append(time.monotonic())

    def on_epoch(record: EpochRecord) -> None:
        records.append(record)
        at_s.append(time.monotonic())
        workers[:] = workers or _workers()
        cpu_s.append(sum(_cpu_s(worker) for worker in workers))
        if record.epoch + 1 == kill_in and not killed_at_s:
            threading.Timer(record.seconds / 2, kill).start()

    cpus = min(float(threads), (psutil.cpu_count() or 1) / count)
    scored = train_on_ray(job, WorkersConfig(count=count, cpus=cpus), on_epoch, print)
    return Watched(
        records=records,
        at_s=at_s,
        cpu_s=cpu_s,
        began_s=began_s,
        killed_at_s=killed_at_s[0] if killed_at_s else None,
        scored=scored,
    )


def _workers() -> list[psutil.Process]:
    """Return this process's training workers."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        used = process.cpu_times()
        return used.user + used.system
    return 0.0  # it was killed
