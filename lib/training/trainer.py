"""One worker of a training: the whole network at layer-wise rates, under DDP."""

import math
import time
from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from lib.evaluation.held_out import Scored, together
from lib.models.classifier import Classifier, build_classifier
from lib.models.device import pick_dtype
from lib.models.pretrained import parameters_of, read_safetensors
from lib.training.balance import class_weights
from lib.training.budget import OverBudgetError, affordable_epochs, time_step
from lib.training.checkpoint import read_checkpoint, write_checkpoint, write_trained
from lib.training.cut import find_cut
from lib.training.diverged import diverged_at
from lib.training.history import EpochRecord
from lib.training.inputs import Inputs, Pixels, make_features
from lib.training.job import TrainingJob
from lib.training.learner import Learner
from lib.training.places import affordable_layers
from lib.training.share import read_share, summed

SPEAK_EVERY_S = 10.0
SURE = 0.9  # of the time that is left: what a step takes is known after the cut


class Trainer:
    """One worker's model, share of the images, and place in the schedule."""

    def __init__(self, job: TrainingJob, device: torch.device) -> None:
        """Read this worker's share of the run's images, and its initial model.

        Raises:
            InputError: a category has no image that can be read.
        """
        self.job, self.device, self.dials = job, device, job.dials
        self.dtype = pick_dtype(self.dials.precision, device)
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.share = read_share(job, device)
        weights = class_weights(self.share.counts, balanced=self.dials.balanced_loss)
        self.weights = None if weights is None else weights.to(device)
        self.inputs: Inputs = Pixels(
            train=self.share.train.pixels,
            validation=self.share.validation.pixels,
            preprocessing=job.preprocessing,
            augmentation=self.dials.augmentation,
            batch_size=self.dials.batch_size,
            device=device,
        )
        model = build_classifier(job.architecture, len(job.category_ids), job.preprocessing.size_px)
        self.initial = read_safetensors(job.initial_uri, job.run.storage)
        model.load_state_dict(self.initial)
        self.layer = ""  # the first that learns, where not all do
        self.say: Callable[[str], None] = lambda _: None
        self.learner = Learner(self._placed(model), self.dials)

    def fit(
        self, on_epoch: Callable[[EpochRecord], None], say: Callable[[str], None] | None = None
    ) -> None:
        """Train from the latest checkpoint, or the beginning, to the last epoch.

        Args:
            on_epoch: called on the first worker after each epoch.
            say: called there with what it does meanwhile, for the person who waits.

        Raises:
            OverBudgetError: there is no time for as many steps as are of use.
            DivergedError: the loss is not a finite number; the checkpoint before it is kept.
        """
        if say and self.rank == 0:
            self.say = say
        history, state = read_checkpoint(self.job.run) or ([], {})
        if history:
            if state["layer"]:
                self._learn_last_layers([state["layer"]])
            self.learner.load(state)
            epochs = history[-1].epochs
        else:
            epochs = self._count_epochs()
        ddp = self._ddp()
        for epoch in range(len(history), epochs):
            record = self._run_epoch(ddp, epoch, epochs)
            history.append(record)
            if self.rank == 0:
                if epoch + 1 == epochs:
                    trained = parameters_of(self.learner.average)
                    write_trained(self.job.run, {**self.initial, **trained})
                write_checkpoint(
                    self.job.run, history, {**self.learner.state(), "layer": self.layer}
                )
                on_epoch(record)
            dist.barrier()

    def score(self) -> Scored:
        """Score the held-out items of all workers with the trained model."""
        mine = Scored(
            item_ids=self.share.validation.item_ids,
            logits=self._validation_logits().cpu(),
            targets=self.share.validation.targets,
            unusable=self.share.train.unusable + self.share.validation.unusable,
            train_items=sum(self.share.counts),
        )
        shares: list[Scored] = [mine] * self.world
        dist.all_gather_object(shares, mine)
        return together(shares)

    def _count_epochs(self) -> int:
        """Return how many epochs there is time for, at most the dials'.

        Where the whole network has no time for all of them, its last layers may.
        """
        if self.job.seconds is None:
            return self.dials.epochs
        ends = time.monotonic() + self.job.seconds
        self.say("timing a step of the whole network")
        over, step_s = None, self._time_step()
        try:
            epochs = self._affordable(step_s, self.job.seconds)
        except OverBudgetError as error:
            epochs, over = 0, error
        # what the first layers give would change with norms that learn
        if epochs < self.dials.epochs and self.dials.frozen_norms:
            assert isinstance(self.inputs, Pixels)
            steps = self.dials.epochs * self.dials.passes * self.share.steps
            left_s = ends - time.monotonic()
            with self._autocast():
                layers = affordable_layers(
                    self.learner.model, self.inputs, step_s * steps, SURE * left_s
                )
            if self._learn_last_layers(layers):
                return self._affordable(self._time_step(), ends - time.monotonic())
        if over:
            raise over
        return epochs

    def _learn_last_layers(self, layers: Sequence[str]) -> bool:
        """Keep the layers before one of these as they are, where the network can be cut."""
        assert isinstance(self.inputs, Pixels)
        size_px = self.job.preprocessing.size_px
        cuts = (find_cut(self.learner.model, layer, size_px) for layer in layers)
        cut = next((each for each in cuts if each), None)
        if cut is None:
            return False
        photos = f"{sum(self.share.counts):,} photos"
        self.say(f"the last layers learn, from {cut.layer} on; the others go over {photos} once")
        generator = torch.Generator().manual_seed(self.dials.seed * self.world + self.rank)
        with self._autocast():
            self.inputs = make_features(cut, self.inputs, generator)
        self.layer = cut.layer
        self.learner = Learner(self._placed(cut.last), self.dials)
        return True

    def _time_step(self) -> float:
        """Return the seconds of a step; nothing is learned."""
        chosen = torch.arange(-(-len(self.share.train.targets) // self.share.steps))
        ddp, model = self._ddp(), self.learner.model
        self.learner.set_mode()
        buffers = [each.clone() for each in model.buffers()]
        generator = torch.Generator().manual_seed(0)
        # without a step of the optimizer
        step_s = time_step(lambda: self._loss(ddp, chosen, generator).backward())
        model.zero_grad()
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)  # batch norms that learn have counted the trial
        return step_s

    def _affordable(self, step_s: float, budget_s: float) -> int:
        # the slowest worker's step, and the shortest time that any has left
        known = torch.tensor([step_s, -budget_s], device=self.device)
        dist.all_reduce(known, op=dist.ReduceOp.MAX)
        return affordable_epochs(self.dials, self.share.steps, float(known[0]), -float(known[1]))

    def _placed(self, model: Classifier) -> Classifier:
        return model.to(self.device).to(memory_format=torch.channels_last)

    def _ddp(self) -> DistributedDataParallel:
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.learner.model, device_ids=ids)

    def _run_epoch(self, ddp: DistributedDataParallel, epoch: int, epochs: int) -> EpochRecord:
        dials = self.dials
        # seeded by epoch: a training that goes on does what it would have done
        generator = torch.Generator().manual_seed(
            (dials.seed * 10_000 + epoch) * self.world + self.rank
        )
        torch.manual_seed(generator.initial_seed())
        self.learner.set_mode()
        started = spoke = time.perf_counter()
        first = step = epoch * dials.passes * self.share.steps
        loss_sum = 0.0
        for _ in range(dials.passes):
            order = torch.randperm(len(self.share.train.targets), generator=generator)
            # chunks of nearly equal size: no image is left out or seen twice, on any worker
            for chosen in order.tensor_split(self.share.steps):
                rate = self.learner.set_rates(step, epochs * dials.passes * self.share.steps)
                loss_sum += self._step(ddp, chosen, generator) * len(chosen)
                step += 1
                if time.perf_counter() - spoke > SPEAK_EVERY_S:
                    spoke = time.perf_counter()
                    of = f"{step - first} of {dials.passes * self.share.steps}"
                    self.say(f"step {of} of epoch {epoch + 1}/{epochs}")
        seconds = time.perf_counter() - started
        # batch norms that learn: each worker has counted its own images, the model those of all
        for buffer in self.learner.averaged.buffers():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer.div_(self.world)
        loss, accuracy = self._validate()
        train_loss = float(summed(torch.tensor(loss_sum, dtype=torch.float64), self.device))
        images = sum(self.share.counts) * dials.passes
        return EpochRecord(
            epoch=epoch + 1,
            epochs=epochs,
            train_loss=train_loss / images,
            validation_loss=loss,
            validation_accuracy=accuracy,
            images_per_s=images / seconds,
            seconds=time.perf_counter() - started,
            learning_rate=rate,
        )

    def _step(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> float:
        loss = self._loss(ddp, chosen, generator)
        # what is not finite in one worker's gradients is in all of theirs: they stop together
        if not self.learner.learn(loss):
            ids = [self.share.train.item_ids[index] for index in chosen.tolist()]
            raise diverged_at(ids, is_finite=bool(loss.isfinite()))
        return float(loss.detach())

    def _loss(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> Tensor:
        with self._autocast():
            logits = ddp(self.inputs.batch(chosen, generator))
        return cross_entropy(
            logits.float(),
            self.share.train.targets[chosen].to(self.device),
            weight=self.weights,
            label_smoothing=self.dials.label_smoothing,
        )

    def _validate(self) -> tuple[float, float]:
        """Return loss and accuracy on the held-out items; not numbers where there are none."""
        logits, targets = self._validation_logits(), self.share.validation.targets.to(self.device)
        loss = cross_entropy(logits, targets, reduction="sum").double()
        right = (logits.argmax(dim=1) == targets).sum().double()
        count = torch.tensor(float(len(targets)), dtype=torch.float64, device=self.device)
        loss_sum, right_sum, items = summed(torch.stack([loss, right, count]), self.device).tolist()
        return (loss_sum / items, right_sum / items) if items else (math.nan, math.nan)

    @torch.no_grad()
    def _validation_logits(self) -> Tensor:
        """Logits of this worker's held-out items by the averaged model, float32 [n, categories]."""
        model = self.learner.average.eval()
        with self._autocast():
            batches = [model(each).float() for each in self.inputs.held_out()]
        empty = torch.empty(0, len(self.job.category_ids), device=self.device)
        return torch.cat(batches) if batches else empty

    def _autocast(self) -> torch.autocast:
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=enabled)
