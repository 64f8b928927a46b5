"""One worker's share of the labelled images."""

import math
from dataclasses import dataclass

import pyarrow as pa
import torch
import torch.distributed as dist
from torch import Tensor

from lib.errors import InputError
from lib.runs import files
from lib.taxonomy.taxonomy import some_of
from lib.training.dataset import LabelledPixels, load_pixels
from lib.training.job import TrainingJob
from lib.training.pixel_cache import CachingPreparer


@dataclass(frozen=True, kw_only=True)
class Share:
    """The images that one worker learns from, and those that it is judged by.

    Attributes:
        train: to learn from.
        validation: held out.
        counts: of all workers' images to learn from, by category.
        steps: of one pass, on all workers.
    """

    train: LabelledPixels
    validation: LabelledPixels
    counts: list[int]
    steps: int


def read_share(job: TrainingJob, device: torch.device) -> Share:
    """Read and decode this worker's share of a run's items.

    Args:
        job: the training.
        device: by which workers tell each other numbers.

    Raises:
        InputError: a category has no image that can be read, or a worker has no image.
    """
    storage = job.run.storage.config
    preparer = CachingPreparer(job.preprocessing, job.reading, storage, dist.get_world_size())
    train = _load(job, files.TRAIN_ITEMS, preparer)
    validation = _load(job, files.VALIDATION_ITEMS, preparer)
    counts = torch.bincount(train.targets, minlength=len(job.category_ids))
    known: list[int] = summed(counts, device).tolist()
    if empty := [c for c, n in zip(job.category_ids, known, strict=True) if not n]:
        raise InputError(
            f"no image to train on could be read of these categories: {some_of(empty)}; label "
            "others, or take the categories out of the taxonomy"
        )
    steps = _count_steps(len(train.targets), sum(known), job.dials.batch_size, device)
    return Share(train=train, validation=validation, counts=known, steps=steps)


def summed(values: Tensor, device: torch.device) -> Tensor:
    """Return the sum of all workers' values."""
    found = values.to(device)
    dist.all_reduce(found)
    return found.cpu()


def _load(job: TrainingJob, name: str, preparer: CachingPreparer) -> LabelledPixels:
    items = job.run.read_table(name)
    rank, world = dist.get_rank(), dist.get_world_size()
    share = items.take(pa.array(range(rank, items.num_rows, world), pa.int64()))
    return load_pixels(share, job.category_ids, job.preprocessing.size_px, preparer)


def _count_steps(images: int, of_all: int, batch_size: int, device: torch.device) -> int:
    """Count the steps of a pass: what the worker with the most images needs.

    They are no more than the images of the one with the fewest: none may have an empty step.
    """
    world = dist.get_world_size()
    per_worker = max(batch_size // world, 1)
    # one reduction gives the most and, negated, the fewest
    extremes = torch.tensor([math.ceil(images / per_worker), -images], device=device)
    dist.all_reduce(extremes, op=dist.ReduceOp.MAX)
    needed, fewest = int(extremes[0]), -int(extremes[1])
    if fewest == 0:
        raise InputError(
            f"workers.count: {of_all} images to train on are too few for "
            f"{world} workers: one has none"
        )
    return min(needed, fewest)
