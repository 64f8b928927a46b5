"""One worker of a training: the whole network at layer-wise rates, under DDP."""

import math
import time
from collections.abc import Callable

import pyarrow as pa
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lib.errors import InputError, ReshelveError
from lib.evaluation.held_out import Scored, together
from lib.images.preparer import Preparer
from lib.models.classifier import Classifier, build_classifier
from lib.models.device import pick_dtype
from lib.models.pretrained import parameters_of, read_safetensors
from lib.runs import files
from lib.training.augmentation import augment
from lib.training.budget import affordable_epochs, time_step
from lib.training.checkpoint import read_checkpoint, write_checkpoint, write_trained
from lib.training.config import class_weights, rate_factor
from lib.training.dataset import LabelledPixels, load_pixels
from lib.training.groups import parameter_groups
from lib.training.history import EpochRecord
from lib.training.job import TrainingJob
from lib.training.pixel_pass import PixelPass

MOST_NORM = 5.0  # gradients are scaled down to it: one odd batch does not undo what was learned


class DivergedError(ReshelveError):
    """The loss is not a finite number."""


class Trainer:
    """One worker's model, share of the images, and place in the schedule."""

    def __init__(self, job: TrainingJob, device: torch.device) -> None:
        """Read this worker's share of the run's images, and its initial model.

        Raises:
            InputError: a category has no image that can be read.
        """
        self.job, self.device, self.dials = job, device, job.dials
        self.pixels = PixelPass(
            preprocessing=job.preprocessing,
            device=device,
            dtype=pick_dtype(self.dials.precision, device),
            batch_size=self.dials.batch_size,
        )
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        preparer = Preparer(job.preprocessing, job.reading, job.run.storage.config)
        self.train = self._load(job.run.read_table(files.TRAIN_ITEMS), preparer)
        self.validation = self._load(job.run.read_table(files.VALIDATION_ITEMS), preparer)
        counts = torch.bincount(self.train.targets, minlength=len(job.category_ids))
        self.counts: list[int] = self._sum(counts).tolist()
        if empty := [c for c, n in zip(job.category_ids, self.counts, strict=True) if not n]:
            raise InputError(f"no image of category '{empty[0]}' could be read to train on")
        weights = class_weights(self.counts, balanced=self.dials.balanced_loss)
        self.weights = None if weights is None else weights.to(device)
        self.steps = self._count_steps()  # of one pass
        model = build_classifier(job.architecture, len(job.category_ids), job.preprocessing.size_px)
        model.load_state_dict(read_safetensors(job.initial_uri, job.run.storage))
        self.model = model.to(device).to(memory_format=torch.channels_last)
        average = get_ema_multi_avg_fn(self.dials.averaging)
        self.averaged = AveragedModel(self.model, multi_avg_fn=average, use_buffers=True)
        groups = parameter_groups(self.model, self.dials.layer_decay)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=self.dials.weight_decay, fused=True)

    def fit(self, on_epoch: Callable[[EpochRecord], None]) -> None:
        """Train from the latest checkpoint, or the beginning, to the last epoch.

        Args:
            on_epoch: called on the first worker after each epoch.

        Raises:
            OverBudgetError: there is no time for as many steps as are of use.
            DivergedError: the loss is not a finite number; the checkpoint before it is kept.
        """
        history: list[EpochRecord] = []
        if found := read_checkpoint(self.job.run):
            history, state = found
            self.model.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
        ids = [self.device.index] if self.device.type == "cuda" else None
        ddp = DistributedDataParallel(self.model, device_ids=ids)
        epochs = history[-1].epochs if history else self._count_epochs(ddp)
        for epoch in range(len(history), epochs):
            record = self._run_epoch(ddp, epoch, epochs)
            history.append(record)
            if self.rank == 0:
                state = {
                    "model": self.model.state_dict(),
                    "averaged": self.averaged.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                }
                if epoch + 1 == epochs:
                    write_trained(self.job.run, parameters_of(self._average))
                write_checkpoint(self.job.run, history, state)
                on_epoch(record)
            dist.barrier()

    def score(self) -> Scored:
        """Score the held-out items of all workers with the trained model."""
        mine = Scored(
            item_ids=self.validation.item_ids,
            logits=self._validation_logits().cpu(),
            targets=self.validation.targets,
            unusable=self.train.unusable + self.validation.unusable,
            train_items=sum(self.counts),
        )
        shares: list[Scored] = [mine] * self.world
        dist.all_gather_object(shares, mine)
        return together(shares)

    @property
    def _average(self) -> Classifier:
        model = self.averaged.module
        assert isinstance(model, Classifier)
        return model

    def _load(self, items: pa.Table, preparer: Preparer) -> LabelledPixels:
        share = items.take(pa.array(range(self.rank, items.num_rows, self.world), pa.int64()))
        size_px = self.job.preprocessing.size_px
        return load_pixels(share, self.job.category_ids, size_px, preparer)

    def _sum(self, values: Tensor) -> Tensor:
        summed = values.to(self.device)
        dist.all_reduce(summed)
        return summed.cpu()

    def _count_steps(self) -> int:
        """Count the steps of a pass: what the worker with the most images needs.

        They are no more than the images of the one with the fewest: none may have an empty step.
        """
        images = len(self.train.targets)
        per_worker = max(self.dials.batch_size // self.world, 1)
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

    def _count_epochs(self, ddp: DistributedDataParallel) -> int:
        if self.job.seconds is None:
            return self.dials.epochs
        chosen = torch.arange(-(-len(self.train.targets) // self.steps))
        self._set_mode()
        buffers = [each.clone() for each in self.model.buffers()]
        generator = torch.Generator().manual_seed(0)
        # without a step of the optimizer: nothing is learned
        mine = time_step(lambda: self._loss(ddp, chosen, generator).backward())
        self.optimizer.zero_grad()
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)  # batch norms that learn have counted the trial
        slowest = torch.tensor(mine, device=self.device)
        dist.all_reduce(slowest, op=dist.ReduceOp.MAX)
        return affordable_epochs(self.dials, self.steps, float(slowest), self.job.seconds)

    def _set_mode(self) -> None:
        self.model.train()
        if self.dials.frozen_norms:
            for module in self.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  # no other name for all of them
                    module.eval()

    def _run_epoch(self, ddp: DistributedDataParallel, epoch: int, epochs: int) -> EpochRecord:
        dials = self.dials
        # seeded by epoch: a training that goes on does what it would have done
        generator = torch.Generator().manual_seed(
            (dials.seed * 10_000 + epoch) * self.world + self.rank
        )
        torch.manual_seed(generator.initial_seed())
        self._set_mode()
        started = time.perf_counter()
        loss_sum, step = 0.0, epoch * dials.passes * self.steps
        for _ in range(dials.passes):
            order = torch.randperm(len(self.train.targets), generator=generator)
            # chunks of nearly equal size: no image is left out or seen twice, on any worker
            for chosen in order.tensor_split(self.steps):
                factor = rate_factor(step, epochs * dials.passes * self.steps, dials.warmup)
                for group in self.optimizer.param_groups:
                    rate = dials.head_rate if group["is_head"] else dials.backbone_rate
                    group["lr"] = rate * group["factor"] * factor
                loss_sum += self._step(ddp, chosen, generator) * len(chosen)
                step += 1
        seconds = time.perf_counter() - started
        # batch norms that learn: each worker has counted its own images, the model those of all
        for buffer in self.averaged.buffers():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer.div_(self.world)
        loss, accuracy = self._validate()
        train_loss = float(self._sum(torch.tensor(loss_sum, dtype=torch.float64)))
        images = sum(self.counts) * dials.passes
        return EpochRecord(
            epoch=epoch + 1,
            epochs=epochs,
            train_loss=train_loss / images,
            validation_loss=loss,
            validation_accuracy=accuracy,
            images_per_s=images / seconds,
            seconds=time.perf_counter() - started,
            learning_rate=dials.backbone_rate * factor,
        )

    def _step(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> float:
        loss = self._loss(ddp, chosen, generator)
        self.optimizer.zero_grad()
        loss.backward()
        # what is not finite in one worker's gradients is in all of theirs: they stop together
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MOST_NORM)
        if not norm.isfinite():
            self._stop(loss, chosen)
        self.optimizer.step()
        self.averaged.update_parameters(self.model)
        return float(loss.detach())

    def _stop(self, loss: Tensor, chosen: Tensor) -> None:
        """Say of which images the loss is no number.

        Raises:
            DivergedError: on all workers.
        """
        ids = [self.train.item_ids[index] for index in chosen.tolist()]
        mine = [] if loss.isfinite() else ids
        shares: list[list[str]] = [[]] * self.world
        dist.all_gather_object(shares, mine)
        named = next((share for share in shares if share), ids)
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        raise DivergedError(
            f"the loss is not a finite number at a batch of {', '.join(named[:3])}{more}; "
            "the checkpoint before it is kept: lower training.learning_rate, or set "
            "training.precision to fp32"
        )

    def _loss(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> Tensor:
        logits = self.pixels.show(
            ddp,
            self.train.pixels[chosen],
            lambda images: augment(images, self.dials.augmentation, generator),
        )
        return cross_entropy(
            logits,
            self.train.targets[chosen].to(self.device),
            weight=self.weights,
            label_smoothing=self.dials.label_smoothing,
        )

    def _validate(self) -> tuple[float, float]:
        """Return loss and accuracy on the held-out items; not numbers where there are none."""
        logits, targets = self._validation_logits(), self.validation.targets.to(self.device)
        loss = cross_entropy(logits, targets, reduction="sum").double()
        right = (logits.argmax(dim=1) == targets).sum().double()
        count = torch.tensor(float(len(targets)), dtype=torch.float64, device=self.device)
        loss_sum, right_sum, items = self._sum(torch.stack([loss, right, count])).tolist()
        return (loss_sum / items, right_sum / items) if items else (math.nan, math.nan)

    def _validation_logits(self) -> Tensor:
        """Logits of this worker's held-out items by the averaged model, float32 [n, categories]."""
        return self.pixels.score(self._average, self.validation.pixels, len(self.job.category_ids))
