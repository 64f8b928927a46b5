"""One worker of a training: head first, then the whole network, under DDP."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from lib.errors import InputError
from lib.evaluation.held_out import Scored
from lib.images.config import ReadingConfig
from lib.images.preparer import Preparer
from lib.images.preprocessing import Preprocessing
from lib.images.resize import normalise
from lib.models.classifier import build_classifier
from lib.models.device import pick_dtype
from lib.models.pretrained import parameters_of, read_safetensors
from lib.runs import files
from lib.runs.run import Run
from lib.training.augmentation import augment
from lib.training.checkpoint import read_best, read_checkpoint, write_best, write_checkpoint
from lib.training.config import TrainingConfig, class_weights, rate_factor
from lib.training.dataset import LabelledPixels, load_pixels
from lib.training.history import EpochRecord


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What the workers of a training have in common; travels to them."""

    run: Run
    architecture: str
    category_ids: tuple[str, ...]
    preprocessing: Preprocessing
    recipe: TrainingConfig
    reading: ReadingConfig


class Trainer:
    """One worker's model, share of the images, and place in the schedule."""

    def __init__(self, job: TrainingJob, device: torch.device) -> None:
        """Read this worker's share of the run's images, and its initial model.

        Raises:
            InputError: a category, or the held-out side, has no image that can be read.
        """
        self.job, self.device = job, device
        self.dtype = pick_dtype(job.recipe.precision, device)
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        preparer = Preparer(job.preprocessing, job.reading, job.run.storage.config)
        self.train = self._load(job.run.read_table(files.TRAIN_ITEMS), preparer)
        self.validation = self._load(job.run.read_table(files.VALIDATION_ITEMS), preparer)
        counts = torch.bincount(self.train.targets, minlength=len(job.category_ids))
        self.counts: list[int] = self._sum(counts).tolist()
        if empty := [c for c, n in zip(job.category_ids, self.counts, strict=True) if not n]:
            raise InputError(f"no image of category '{empty[0]}' could be read to train on")
        if not int(self._sum(torch.tensor(len(self.validation.targets)))):
            raise InputError("no held-out image could be read to validate with")
        weights = class_weights(self.counts, balanced=job.recipe.balanced_loss)
        self.weights = None if weights is None else weights.to(device)
        self.steps = self._count_steps()
        model = build_classifier(job.architecture, len(job.category_ids), job.preprocessing.size_px)
        model.load_state_dict(read_safetensors(job.run.at(files.INITIAL_MODEL), job.run.storage))
        self.model = model.to(device).to(memory_format=torch.channels_last)
        groups = [
            {"params": model.backbone.parameters(), "factor": job.recipe.backbone_factor},
            {"params": model.head.parameters(), "factor": 1.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=job.recipe.weight_decay)

    def fit(self, on_epoch: Callable[[EpochRecord], None]) -> None:
        """Train from the latest checkpoint, or the beginning, to the last epoch.

        Args:
            on_epoch: called on the first worker after each epoch.
        """
        history: list[EpochRecord] = []
        if found := read_checkpoint(self.job.run):
            history, state = found
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        ddp: DistributedDataParallel | None = None
        for epoch in range(len(history), self.job.recipe.total_epochs):
            if ddp is None or epoch == self.job.recipe.head_epochs:
                ddp = self._wrap(epoch)
            record = self._run_epoch(ddp, epoch)
            if self.rank == 0:
                best = max(history, key=_goodness, default=None)
                if best is None or _goodness(record) > _goodness(best):
                    write_best(self.job.run, parameters_of(self.model))
                history.append(record)
                state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
                write_checkpoint(self.job.run, history, state)
                on_epoch(record)
            else:
                history.append(record)
            dist.barrier()

    def score(self) -> Scored:
        """Score the held-out items of all workers with the best model of the training."""
        self.model.load_state_dict(read_best(self.job.run))
        mine = Scored(
            item_ids=self.validation.item_ids,
            logits=self._validation_logits().cpu(),
            targets=self.validation.targets,
            unusable=self.train.unusable + self.validation.unusable,
            train_items=sum(self.counts),
        )
        shares: list[Scored] = [mine] * self.world
        dist.all_gather_object(shares, mine)
        return Scored(
            item_ids=[item_id for share in shares for item_id in share.item_ids],
            logits=torch.cat([share.logits for share in shares]),
            targets=torch.cat([share.targets for share in shares]),
            unusable=[item for share in shares for item in share.unusable],
            train_items=mine.train_items,
        )

    def _load(self, items: pa.Table, preparer: Preparer) -> LabelledPixels:
        share = items.take(pa.array(range(self.rank, items.num_rows, self.world), pa.int64()))
        size_px = self.job.preprocessing.size_px
        return load_pixels(share, self.job.category_ids, size_px, preparer)

    def _sum(self, values: Tensor) -> Tensor:
        summed = values.to(self.device)
        dist.all_reduce(summed)
        return summed.cpu()

    def _count_steps(self) -> int:
        """Count the steps of an epoch: what the worker with the most images needs.

        They are no more than the images of the one with the fewest: none may have an empty step.
        """
        images = len(self.train.targets)
        per_worker = max(self.job.recipe.batch_size // self.world, 1)
        # one reduction gives the most and, negated, the fewest
        extremes = torch.tensor([math.ceil(images / per_worker), -images], device=self.device)
        dist.all_reduce(extremes, op=dist.ReduceOp.MAX)
        needed, fewest = int(extremes[0]), -int(extremes[1])
        if fewest == 0:
            raise InputError(
                f"workers.count: {sum(self.counts)} images to train on are too few for "
                f"{self.world} workers: one has none"
            )
        return min(needed, fewest)

    def _wrap(self, epoch: int) -> DistributedDataParallel:
        """Wrap the model anew for a stage: DDP fixes at this moment what it synchronises."""
        whole = epoch >= self.job.recipe.head_epochs
        self.model.backbone.requires_grad_(whole)
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.model, device_ids=ids)

    def _run_epoch(self, ddp: DistributedDataParallel, epoch: int) -> EpochRecord:
        recipe = self.job.recipe
        head_only = epoch < recipe.head_epochs
        stage_epochs = recipe.head_epochs if head_only else recipe.epochs
        stage_epoch = epoch if head_only else epoch - recipe.head_epochs
        # seeded by epoch: a training that goes on does what it would have done
        generator = torch.Generator().manual_seed(
            (recipe.seed * 10_000 + epoch) * self.world + self.rank
        )
        torch.manual_seed(generator.initial_seed())
        ddp.train()
        self.model.backbone.train(not head_only)
        started = time.perf_counter()
        loss_sum = 0.0
        order = torch.randperm(len(self.train.targets), generator=generator)
        # chunks of nearly equal size: no image is left out or seen twice, on any worker
        for step, chosen in enumerate(order.tensor_split(self.steps)):
            factor = rate_factor(
                stage_epoch * self.steps + step, stage_epochs * self.steps, recipe.warmup
            )
            for group in self.optimizer.param_groups:
                group["lr"] = recipe.learning_rate * group["factor"] * factor
            loss_sum += self._step(ddp, chosen, generator) * len(chosen)
        seconds = time.perf_counter() - started
        # batch norms: each worker has counted its own last step; the model is the first worker's
        for buffer in self.model.buffers():
            dist.broadcast(buffer, src=0)
        loss, accuracy = self._validate()
        train_loss = float(self._sum(torch.tensor(loss_sum, dtype=torch.float64))) / sum(
            self.counts
        )
        return EpochRecord(
            epoch=epoch + 1,
            epochs=recipe.total_epochs,
            stage="head" if head_only else "all",
            train_loss=train_loss,
            validation_loss=loss,
            validation_accuracy=accuracy,
            images_per_s=sum(self.counts) / seconds,
            seconds=time.perf_counter() - started,
            learning_rate=recipe.learning_rate * factor,
        )

    def _step(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> float:
        images = self.train.pixels[chosen].to(self.device)
        targets = self.train.targets[chosen].to(self.device)
        with self._autocast():
            pixels = augment(images, self.job.recipe.augmentation, generator)
            logits = ddp(self._normalise(pixels))
        loss = cross_entropy(
            logits.float(),
            targets,
            weight=self.weights,
            label_smoothing=self.job.recipe.label_smoothing,
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def _validate(self) -> tuple[float, float]:
        logits, targets = self._validation_logits(), self.validation.targets.to(self.device)
        loss = cross_entropy(logits, targets, reduction="sum").double()
        right = (logits.argmax(dim=1) == targets).sum().double()
        count = torch.tensor(float(len(targets)), dtype=torch.float64, device=self.device)
        loss_sum, right_sum, items = self._sum(torch.stack([loss, right, count])).tolist()
        return loss_sum / items, right_sum / items

    @torch.no_grad()
    def _validation_logits(self) -> Tensor:
        """Logits of this worker's held-out items, float32 [n, categories]."""
        self.model.eval()
        batches = []
        for images in self.validation.pixels.split(self.job.recipe.batch_size):
            with self._autocast():
                batches.append(self.model(self._normalise(images.to(self.device))).float())
        empty = torch.empty(0, len(self.job.category_ids), device=self.device)
        return torch.cat(batches) if batches else empty

    def _normalise(self, images: Tensor) -> Tensor:
        pixels = normalise(images, self.job.preprocessing, torch.float32)
        return pixels.contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=enabled)


def _goodness(record: EpochRecord) -> tuple[float, float]:
    return record.validation_accuracy, -record.validation_loss
