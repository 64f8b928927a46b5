"""Fine-tuning: of the model that is judged, and, where each item is held out in turn, of folds."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from lib.errors import InputError
from lib.evaluation.held_out import Scored, together
from lib.heads.folds import assign_folds
from lib.models.config import ChosenModel
from lib.runs import files
from lib.runs.run import Run
from lib.training.config import choose_dials, few_steps
from lib.training.history import EpochRecord
from lib.training.job import TrainingJob
from pipelines.steps import Say
from pipelines.train_config import TrainRun

# with more, each would have more labels, and take its time
FOLDS = 3
HELD_OUT, WHOLE = "held-out", "all"


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Fine-tuning the whole network from the initial model, in parts of one run.

    Attributes:
        config: the run file.
        model: the network.
        leaves: the taxonomy's.
        run: the run.
        items: labelled items, columns of `ITEM_SCHEMA`; the held-out ones come last.
        photos: names of the items' photos.
        held_out: how many are held out; none where each item is in turn.
        connect: to Ray, for as long as the training lasts.
        tell: takes each epoch.
        say: takes each line for the person who waits.
    """

    config: TrainRun
    model: ChosenModel
    leaves: tuple[str, ...]
    run: Run
    items: pa.Table
    photos: list[str]
    held_out: int
    connect: Callable[[], None]
    tell: Callable[[EpochRecord], None]
    say: Say

    def judge(self) -> Scored:
        """Return logits of items that the network has not seen: held out, or fold by fold.

        Raises:
            InputError: no held-out photo can be read.
            OverBudgetError: there is no time for it.
            ReshelveError: the training failed.
        """
        train = self.items.num_rows - self.held_out
        if sentence := few_steps(self.job("", train).dials, train):
            self.say(sentence)
        if self.held_out:
            found = self._train(HELD_OUT, self.items.slice(0, train), self.items.slice(train))
            if not found.item_ids:
                raise InputError("no held-out photo could be read; give another 'validation'")
            return found
        folds = self.folds
        return together(
            [
                self._train(f"fold-{fold}", *_divide(self.items, folds == fold))
                for fold in range(FOLDS)
            ]
        )

    @property
    def folds(self) -> Tensor:
        """In which fold each item is held out, as `assign_folds`."""
        targets = [self.leaves.index(each) for each in self.items["category_id"].to_pylist()]
        return assign_folds(self.photos, targets, FOLDS)

    def finish(self) -> Run:
        """Return the part of the model that was judged, or of one that has learned from all."""
        if self.held_out:
            return self._part(HELD_OUT)
        self._train(WHOLE, self.items, self.items.slice(0, 0))
        return self._part(WHOLE)

    def job(self, name: str, items: int) -> TrainingJob:
        """Return the training of a part."""
        parts = 1 if self.held_out else FOLDS + 1
        chosen_later = self.config.strategy == "auto" and self.model.weights != "none"
        return TrainingJob(
            run=self._part(name),
            initial_uri=self.run.at(files.INITIAL_MODEL),
            architecture=self.model.architecture,
            category_ids=self.leaves,
            preprocessing=self.model.preprocessing,
            dials=choose_dials(
                self.config.training, items, pretrained=self.model.weights != "none"
            ),
            reading=self.config.reading,
            # where there is nothing else to take, it takes as long as it takes
            seconds=60 * self.config.minutes / parts if chosen_later else None,
        )

    def _part(self, name: str) -> Run:
        return self.run.within(f"{files.FINETUNE}/{name}")

    def _train(self, name: str, train: pa.Table, held_out: pa.Table) -> Scored:
        job = self.job(name, train.num_rows)
        job.run.write_table(files.TRAIN_ITEMS, train)
        job.run.write_table(files.VALIDATION_ITEMS, held_out)

        from lib.cluster.monitor import TrainingWatch  # noqa: PLC0415  # Ray takes seconds to import
        from lib.cluster.train_workers import train_on_ray  # noqa: PLC0415  # as above

        self.connect()
        watch = TrainingWatch(self.run)

        def tell(epoch: EpochRecord) -> None:
            self.tell(epoch)
            watch.add(epoch)

        workers = "worker" if self.config.workers.most == 1 else "workers"
        self.say(
            f"fine-tuning: {self.config.workers.count} {workers} read {train.num_rows:,} photos"
        )
        return train_on_ray(job, self.config.workers, tell, self.say)


def _divide(items: pa.Table, held_out: Tensor) -> tuple[pa.Table, pa.Table]:
    mask = pa.array(held_out.numpy())
    return items.filter(pc.invert(mask)), items.filter(mask)
