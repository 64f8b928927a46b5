import math
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from lib.errors import InputError
from lib.evaluation.held_out import Scored
from lib.images.config import ReadingConfig
from lib.images.normalise import normalise
from lib.images.preparer import Preparer
from lib.images.preprocessing import Preprocessing
from lib.models.classifier import build_classifier
from lib.models.pretrained import parameters_of, read_safetensors
from lib.runs import files
from lib.runs.run import Run
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.training.budget import OverBudgetError
from lib.training.checkpoint import (
    read_checkpoint,
    read_trained,
    write_checkpoint,
    write_trained,
)
from lib.training.config import AugmentationConfig, Dials
from lib.training.diverged import DivergedError
from lib.training.history import EpochRecord, epoch_line
from lib.training.inputs import Pixels
from lib.training.job import TrainingJob
from lib.training.trainer import Trainer
from tests.helpers.catalogs import run_at
from tests.helpers.gloo import WorkerError, Workers

pytestmark = [pytest.mark.timeout(120), pytest.mark.processes]

# the smallest that has batch norms; these need more steps than a test has until they are of use
WITH_BATCH_NORMS = "shufflenet_v2_x0_5"
# learns in a few steps
QUICK = "squeezenet1_1"
CATEGORIES = ("red", "green", "blue")
PREPROCESSING = Preprocessing(size_px=64, fit="crop", mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3))
EPOCHS = 4
DIALS = Dials(
    passes=1,
    epochs=EPOCHS,
    batch_size=8,
    head_rate=3e-3,
    backbone_rate=3e-3,
    layer_decay=1.0,
    weight_decay=0.05,
    warmup=0.1,
    label_smoothing=0.1,
    averaging=0.5,
    frozen_norms=False,
    balanced_loss=None,
    precision="fp32",
    seed=0,
    augmentation=AugmentationConfig(rotation_degrees=0, light=0.1),
)
# of a training of last layers alone: batch norms, of which it has none, are as they were
LAST = {"frozen_norms": True, "head_rate": 1e-3, "backbone_rate": 1e-3}
# nothing of a training is random, but for the order of the images
STILL = AugmentationConfig(zoom=0, stretch=0, rotation_degrees=0, flip=False, light=0)


@dataclass(frozen=True)
class Trained:
    """What one worker tells of its training."""

    history: list[EpochRecord]  # of this call, on the first worker
    seen: list[str]  # item ids, in the order of training
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    scored: Scored


class Watched(Trainer):
    """A trainer that notes which items it trains on, and is killed when it is told to be."""

    seen: list[str]
    killed_at_step: int | None = None

    def _step(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> float:
        self.seen += [self.share.train.item_ids[index] for index in chosen.tolist()]
        if self.killed_at_step is not None:
            if self.killed_at_step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.killed_at_step -= 1
        return super()._step(ddp, chosen, generator)


def train(
    job: TrainingJob,
    items: pa.Table,
    held_out: pa.Table,
    stop_after: int | None = None,
    kill_at_step: int | None = None,
    *,
    by: type[Watched] = Watched,
) -> Trained:
    """Do one worker's part; the second is killed at a step, or the first stops after an epoch."""
    history: list[EpochRecord] = []

    def on_epoch(record: EpochRecord) -> None:
        history.append(record)
        if record.epoch == stop_after:
            raise KeyError(stop_after)

    job.run.write_table(files.TRAIN_ITEMS, items)
    job.run.write_table(files.VALIDATION_ITEMS, held_out)
    trainer = by(job, torch.device("cpu"))
    trainer.seen = []
    if trainer.rank == 1:
        trainer.killed_at_step = kill_at_step
    trainer.fit(on_epoch)
    parameters = {
        name: value.detach().clone() for name, value in trainer.learner.model.named_parameters()
    }
    buffers = {name: value.clone() for name, value in trainer.learner.model.named_buffers()}
    return Trained(history, trainer.seen, parameters, buffers, trainer.score())


def count_epochs(job: TrainingJob, items: pa.Table, held_out: pa.Table) -> int:
    """Return how many epochs a training would have."""
    job.run.write_table(files.TRAIN_ITEMS, items)
    job.run.write_table(files.VALIDATION_ITEMS, held_out)
    trainer = Trainer(job, torch.device("cpu"))
    return trainer._count_epochs()  # noqa: SLF001  # a real budget would train for minutes


class Spoilt(Trainer):
    """A trainer of which one image gives no number, as an overflow in half precision would."""

    bad: str

    def _loss(
        self, ddp: DistributedDataParallel, chosen: Tensor, generator: torch.Generator
    ) -> Tensor:
        loss = super()._loss(ddp, chosen, generator)
        ids = [self.share.train.item_ids[index] for index in chosen.tolist()]
        return loss * torch.nan if self.bad in ids else loss


def train_with_one_bad_image(
    job: TrainingJob, items: pa.Table, held_out: pa.Table, bad: str
) -> None:
    job.run.write_table(files.TRAIN_ITEMS, items)
    job.run.write_table(files.VALIDATION_ITEMS, held_out)
    trainer = Spoilt(job, torch.device("cpu"))
    trainer.bad = bad
    trainer.fit(lambda _: None)


def draw(folder: Path, name: str, count: int, *, empty: tuple[int, ...] = ()) -> pa.Table:
    """Draw noise in the colour of each item's category; the items `empty` have no bytes."""
    rows = []
    for number in range(count):
        path = folder / f"{name}-{number:02d}.png"
        pixels = np.random.default_rng([len(name), number]).integers(0, 120, (64, 64, 3), np.uint8)
        pixels[:, :, number % 3] += 100
        Image.fromarray(pixels).save(path)
        if number in empty:
            path.write_bytes(b"")
        rows.append(
            {
                "item_id": path.stem,
                "uri": str(path),
                "category_id": CATEGORIES[number % 3],
            }
        )
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def prepare(folder: Path, architecture: str = WITH_BATCH_NORMS, **changes: object) -> TrainingJob:
    """Write the model that all workers begin with, and describe their work."""
    torch.manual_seed(0)
    initial = build_classifier(architecture, 3, PREPROCESSING.size_px)
    data = safetensors.torch.save(parameters_of(initial))
    run = run_at(folder)
    run.write(files.INITIAL_MODEL, data)
    return TrainingJob(
        run=run,
        initial_uri=run.at(files.INITIAL_MODEL),
        architecture=architecture,
        category_ids=CATEGORIES,
        preprocessing=PREPROCESSING,
        dials=DIALS.model_copy(update=changes),
        reading=ReadingConfig(threads=2),
    )


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def figures(history: list[EpochRecord]) -> list[dict[str, Any]]:
    """Return all that a history holds except how long it took."""
    return [{**asdict(each), "seconds": 0, "images_per_s": 0} for each in history]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers(2)
    yield started
    started.close()


@dataclass(frozen=True)
class Training:
    """A training that nothing disturbed: 2 workers, 45 items, 12 held out."""

    job: TrainingJob
    items: pa.Table
    held_out: pa.Table
    results: list[Trained]


@pytest.fixture(scope="module")
def undisturbed(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("undisturbed")
    items, held_out = draw(folder, "train", 45), draw(folder, "validation", 12)
    job = prepare(folder / "run")
    results = workers.run(2, train, job, items, held_out)
    assert all(isinstance(each, Trained) for each in results), results
    return Training(job, items, held_out, results)


@pytest.mark.parametrize(("world", "precision"), [(1, "fp32"), (2, "fp32"), (2, "bf16")])
def test_the_loss_falls_and_categories_that_can_be_told_apart_are_learned(
    workers: Workers, undisturbed: Training, tmp_path: Path, world: int, precision: str
) -> None:
    job = prepare(
        tmp_path, QUICK, precision=precision, epochs=8, head_rate=1e-3, backbone_rate=1e-3
    )
    results = workers.run(world, train, job, undisturbed.items, undisturbed.held_out)
    history = results[0].history
    assert history[-1].train_loss < 0.6 * history[0].train_loss
    assert max(each.validation_accuracy for each in history) == 1
    scored = results[0].scored
    assert scored.logits.dtype == torch.float32
    assert torch.equal(scored.logits.argmax(dim=1), scored.targets)


def test_epochs_are_counted_from_1(undisturbed: Training) -> None:
    history = undisturbed.results[0].history
    assert [(each.epoch, each.epochs) for each in history] == [(n, 4) for n in range(1, 5)]


def test_only_the_first_worker_tells_of_epochs(undisturbed: Training) -> None:
    assert undisturbed.results[1].history == []


def test_all_workers_end_with_identical_parameters(undisturbed: Training) -> None:
    first, second = undisturbed.results
    assert_equal(first.parameters, second.parameters)
    initial = parameters_of(build_classifier(WITH_BATCH_NORMS, 3, 64))
    assert not torch.equal(first.parameters["head.weight"], initial["head.weight"])


def test_every_item_is_seen_once_an_epoch(undisturbed: Training) -> None:
    seen = Counter(item_id for each in undisturbed.results for item_id in each.seen)
    assert seen == dict.fromkeys(undisturbed.items["item_id"].to_pylist(), EPOCHS)
    for each in undisturbed.results:
        per_epoch = len(each.seen) // EPOCHS
        epochs = [
            each.seen[start : start + per_epoch] for start in range(0, len(each.seen), per_epoch)
        ]
        assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
        assert epochs[0] != epochs[1]


def test_every_held_out_item_is_scored_once_and_with_its_own_target(
    undisturbed: Training,
) -> None:
    ids = undisturbed.held_out["item_id"].to_pylist()
    labels = dict(zip(ids, undisturbed.held_out["category_id"].to_pylist(), strict=True))
    for each in undisturbed.results:
        assert sorted(each.scored.item_ids) == sorted(ids)
        targets = [CATEGORIES[column] for column in each.scored.targets.tolist()]
        assert targets == [labels[item_id] for item_id in each.scored.item_ids]
        assert each.scored.train_items == 45
        assert each.scored.logits.shape == (12, 3)


def test_an_epochs_figures_are_those_of_the_model_that_is_kept(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    job = prepare(tmp_path, epochs=1)
    result, _ = workers.run(2, train, job, undisturbed.items, undisturbed.held_out)
    loss = float(cross_entropy(result.scored.logits, result.scored.targets))
    assert loss == pytest.approx(result.history[0].validation_loss, rel=1e-5)


def test_the_checkpoint_holds_the_last_epochs_model_and_no_other_is_left(
    undisturbed: Training,
) -> None:
    names = undisturbed.job.run.names(files.CHECKPOINTS)
    assert names == {"epoch-0004.pt", "trained.safetensors"}
    history, state = read_checkpoint(undisturbed.job.run) or ([], {})
    assert history == undisturbed.results[0].history
    model = build_classifier(WITH_BATCH_NORMS, 3, 64)
    model.load_state_dict(state["model"])
    assert_equal(dict(model.named_parameters()), undisturbed.results[0].parameters)


def assert_as_undisturbed(folder: Path, undisturbed: Training, results: list[Trained]) -> None:
    for mine, theirs in zip(results, undisturbed.results, strict=True):
        assert_equal(mine.parameters, theirs.parameters)
        assert torch.equal(mine.scored.logits, theirs.scored.logits)
    assert_equal(read_trained(run_at(folder)), read_trained(undisturbed.job.run))
    history, _ = read_checkpoint(run_at(folder)) or ([], {})
    assert figures(history) == figures(undisturbed.results[0].history)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_training_that_stops_after_an_epoch_goes_on_as_if_it_had_not(
    workers: Workers, undisturbed: Training, tmp_path: Path, epoch: int
) -> None:
    job, sides = prepare(tmp_path), (undisturbed.items, undisturbed.held_out)
    stopped = workers.run(2, train, job, *sides, epoch)
    assert "KeyError" in str(stopped[0])
    assert isinstance(stopped[1], WorkerError)
    results = workers.run(2, train, job, *sides)
    assert [each.epoch for each in results[0].history] == list(range(epoch + 1, 5))
    assert_as_undisturbed(tmp_path, undisturbed, results)


def test_a_training_whose_worker_is_killed_in_an_epoch_goes_on_as_if_it_had_not(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    job, sides = prepare(tmp_path), (undisturbed.items, undisturbed.held_out)
    killed = workers.run(2, train, job, *sides, None, 14)  # an epoch has 6 steps
    assert str(killed[1]) == "it died"
    assert isinstance(killed[0], WorkerError)
    results = workers.run(2, train, job, *sides)
    assert [each.epoch for each in results[0].history] == [3, 4]
    assert_as_undisturbed(tmp_path, undisturbed, results)


def test_a_training_that_has_ended_is_only_scored(workers: Workers, undisturbed: Training) -> None:
    sides = (undisturbed.items, undisturbed.held_out)
    again = workers.run(2, train, undisturbed.job, *sides)
    assert [each.seen for each in again] == [[], []]
    assert torch.equal(again[0].scored.logits, undisturbed.results[0].scored.logits)


def test_one_worker_alone_sees_every_item_once_an_epoch(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    job = prepare(tmp_path, epochs=1)
    (alone,) = workers.run(1, train, job, undisturbed.items, undisturbed.held_out)
    assert Counter(alone.seen) == dict.fromkeys(undisturbed.items["item_id"].to_pylist(), 1)


def test_a_second_training_needs_no_photo_that_the_first_has_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    versions = pa.array(["v1"] * 9, pa.string())
    items = draw(tmp_path, "train", 9).set_column(2, ITEM_SCHEMA.field("etag"), versions)
    held_out = draw(tmp_path, "validation", 3)
    own = Workers(2)
    try:
        own.run(2, train, prepare(tmp_path / "first", epochs=1), items, held_out)
        for uri in items["uri"].to_pylist():
            Path(uri).unlink()
        (again,) = own.run(1, train, prepare(tmp_path / "second", epochs=1), items, held_out)
    finally:
        own.close()
    assert again.scored.unusable == []
    assert sorted(again.seen) == items["item_id"].to_pylist()


def test_a_category_none_of_whose_images_can_be_read_is_named(
    workers: Workers, tmp_path: Path
) -> None:
    items = draw(tmp_path, "train", 9, empty=(1, 4, 7))
    errors = workers.run(2, train, prepare(tmp_path), items, draw(tmp_path, "validation", 3))
    for error in errors:
        assert isinstance(error, InputError)
        assert "could be read of these categories: 'green'; label others" in str(error)


def test_without_a_held_out_item_there_are_no_figures_of_any(
    workers: Workers, tmp_path: Path
) -> None:
    job, items = prepare(tmp_path, epochs=2), draw(tmp_path, "train", 6)
    results = workers.run(2, train, job, items, items.slice(0, 0))
    for record in results[0].history:
        assert math.isfinite(record.train_loss)
        assert math.isnan(record.validation_loss)
        assert math.isnan(record.validation_accuracy)
        assert epoch_line(record).keys() >= {"epoch", "train_loss"}
        assert "validation_loss" not in epoch_line(record)
    assert [each.scored.logits.shape for each in results] == [(0, 3), (0, 3)]


def test_images_that_cannot_be_read_are_reported_by_all_workers_together(
    workers: Workers, tmp_path: Path
) -> None:
    items = draw(tmp_path, "train", 12, empty=(0, 5))
    held_out = draw(tmp_path, "validation", 5, empty=(1,))
    job = prepare(tmp_path, epochs=1)
    for result in workers.run(2, train, job, items, held_out):
        unusable = sorted(each.item_id for each in result.scored.unusable)
        assert unusable == ["train-00", "train-05", "validation-01"]
        assert {each.code for each in result.scored.unusable} == {"empty"}
        assert result.scored.train_items == 10


@pytest.mark.parametrize("batch_size", [1, 2, 4, 64])
def test_shares_of_unequal_size_hang_nothing_and_leave_out_nothing(
    workers: Workers, tmp_path: Path, batch_size: int
) -> None:
    items = draw(tmp_path, "train", 13, empty=(2, 4, 6, 8, 10))  # 2 images, and 6
    job = prepare(tmp_path, batch_size=batch_size, epochs=1)
    first, second = workers.run(2, train, job, items, draw(tmp_path, "validation", 3))
    readable = [f"train-{number:02d}" for number in (0, 1, 3, 5, 7, 9, 11, 12)]
    assert Counter([*first.seen, *second.seen]) == dict.fromkeys(readable, 1)
    assert all(value.isfinite().all() for value in first.parameters.values())
    assert_equal(first.parameters, second.parameters)


def test_a_worker_may_have_nothing_to_validate(workers: Workers, tmp_path: Path) -> None:
    held_out = draw(tmp_path, "validation", 1)
    job = prepare(tmp_path, epochs=1)
    results = workers.run(2, train, job, draw(tmp_path, "train", 9), held_out)
    for each in results:
        assert each.scored.item_ids == ["validation-00"]
        assert each.scored.logits.shape == (1, 3)


def test_a_worker_without_an_image_to_train_on_is_refused(workers: Workers, tmp_path: Path) -> None:
    items = draw(tmp_path, "train", 6, empty=(1, 3, 5))  # the second worker's
    for error in workers.run(2, train, prepare(tmp_path), items, draw(tmp_path, "validation", 3)):
        assert isinstance(error, InputError)
        assert "3 images to train on are too few for 2 workers: one has none" in str(error)


def test_what_is_kept_at_the_end_is_the_average_of_the_last_steps(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    sides = (undisturbed.items, undisturbed.held_out)
    for averaging, alike in ((0.0, True), (0.9, False)):
        job = prepare(tmp_path / str(averaging), epochs=1, averaging=averaging)
        first, _ = workers.run(2, train, job, *sides)
        kept = read_trained(job.run)
        assert torch.equal(kept["head.weight"], first.parameters["head.weight"]) == alike


def test_the_kept_model_is_the_one_that_has_scored(undisturbed: Training) -> None:
    model = build_classifier(WITH_BATCH_NORMS, 3, 64)
    model.load_state_dict(read_trained(undisturbed.job.run))
    job, scored = undisturbed.job, undisturbed.results[0].scored
    preparer = Preparer(job.preprocessing, job.reading, job.run.storage.config)
    held_out = undisturbed.held_out
    pixels = {
        item_id: each.pixels
        for item_id, each in zip(
            held_out["item_id"].to_pylist(),
            preparer.stream(held_out["uri"].to_pylist(), held_out["etag"].to_pylist()),
            strict=True,
        )
    }
    found = [found for each in scored.item_ids if (found := pixels[each]) is not None]
    batch = torch.from_numpy(np.stack(found))
    with torch.inference_mode():
        logits = model.eval()(normalise(batch, job.preprocessing, torch.float32))
    torch.testing.assert_close(logits, scored.logits, rtol=1e-3, atol=1e-4)


def test_an_epoch_may_be_several_passes(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    job = prepare(tmp_path, epochs=2, passes=3)
    results = workers.run(2, train, job, undisturbed.items, undisturbed.held_out)
    assert [each.epoch for each in results[0].history] == [1, 2]
    seen = Counter(item_id for each in results for item_id in each.seen)
    assert seen == dict.fromkeys(undisturbed.items["item_id"].to_pylist(), 6)


def norms_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if "running_" in name}


def test_frozen_batch_norms_keep_their_statistics(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    job = prepare(tmp_path, epochs=1, frozen_norms=True)
    before = norms_of(safetensors.torch.load(job.run.read(files.INITIAL_MODEL)))
    for each in workers.run(2, train, job, undisturbed.items, undisturbed.held_out):
        assert_equal(norms_of(each.buffers), before)
    assert_equal(norms_of(read_trained(job.run)), before)


def test_batch_norms_that_learn_have_seen_the_images_of_all_workers(
    workers: Workers, tmp_path: Path
) -> None:
    # each worker has the images of one category alone
    items = draw(tmp_path, "train", 12).filter([n % 3 != 2 for n in range(12)])
    items = items.sort_by("category_id")
    order = [n // 2 + 4 * (n % 2) for n in range(8)]
    job = replace(
        prepare(tmp_path / "run", epochs=1, batch_size=8, averaging=0.0),
        category_ids=("red", "green"),
    )
    torch.manual_seed(0)
    initial = safetensors.torch.save(parameters_of(build_classifier(WITH_BATCH_NORMS, 2, 64)))
    job.run.write(files.INITIAL_MODEL, initial)
    first, second = workers.run(2, train, job, items.take(order), items.slice(0, 0))
    kept = norms_of(read_trained(job.run))
    name = "backbone.conv1.1.running_mean"
    assert not torch.equal(first.buffers[name], second.buffers[name])
    torch.testing.assert_close(kept[name], (first.buffers[name] + second.buffers[name]) / 2)


def settle_norms(job: TrainingJob) -> None:
    """Give a model's batch norms the statistics of a batch, as those of trained weights have."""
    model = build_classifier(job.architecture, 3, PREPROCESSING.size_px).train()
    model.load_state_dict(safetensors.torch.load(job.run.read(files.INITIAL_MODEL)))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model(torch.randn(32, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    job.run.write(files.INITIAL_MODEL, safetensors.torch.save(parameters_of(model)))


@pytest.mark.timeout(300)  # four processes start
def test_loss_curves_of_1_2_and_4_workers_at_one_global_batch_agree(
    workers: Workers, tmp_path: Path
) -> None:
    items = draw(tmp_path, "train", 24)
    workers.grow(4)
    curves = []
    for world in (1, 2, 4):
        # each step is of all images, whoever has them
        job = prepare(
            tmp_path / str(world),
            epochs=6,
            batch_size=24,
            head_rate=2e-4,
            backbone_rate=2e-4,
            frozen_norms=True,
            augmentation=STILL,
        )
        settle_norms(job)
        results = workers.run(world, train, job, items, items)
        history = results[0].history
        curves.append([(each.train_loss, each.validation_loss) for each in history])
    alone = torch.tensor(curves[0])
    assert alone[-1, 0] < 0.9 * alone[0, 0]
    for curve in curves[1:]:
        torch.testing.assert_close(torch.tensor(curve), alone, rtol=0.01, atol=0.0)


@pytest.mark.parametrize("poison", ["rate", "weights"])
def test_a_loss_that_is_no_number_stops_all_workers_and_keeps_the_checkpoint_before(
    workers: Workers, tmp_path: Path, poison: str
) -> None:
    items = draw(tmp_path, "train", 12)
    job = prepare(tmp_path, epochs=1, frozen_norms=True)
    workers.run(2, train, job, items, items)
    before = job.run.read(f"{files.CHECKPOINTS}/epoch-0001.pt")
    history, state = read_checkpoint(job.run) or ([], {})
    # as if a second epoch were to come
    changed = [replace(each, epochs=2) for each in history]
    if poison == "weights":
        state["model"]["head.bias"] = state["model"]["head.bias"] * torch.nan
    write_checkpoint(job.run, changed, state)
    before = job.run.read(f"{files.CHECKPOINTS}/epoch-0001.pt")
    dials = job.dials.model_copy(update={"backbone_rate": 1e30} if poison == "rate" else {})

    errors = workers.run(2, train, replace(job, dials=dials), items, items)

    for error in errors:
        assert isinstance(error, DivergedError)
        assert "not a finite number at a batch of train-" in str(error)
        assert "training.learning_rate" in str(error)
    assert str(errors[0]) == str(errors[1])
    assert job.run.names(files.CHECKPOINTS) == {"epoch-0001.pt", "trained.safetensors"}
    assert job.run.read(f"{files.CHECKPOINTS}/epoch-0001.pt") == before


def test_a_batch_on_one_worker_alone_that_gives_no_number_is_named(
    workers: Workers, tmp_path: Path
) -> None:
    items = draw(tmp_path, "train", 12)
    errors = workers.run(2, train_with_one_bad_image, prepare(tmp_path), items, items, "train-03")
    for error in errors:
        assert isinstance(error, DivergedError)
        assert "train-03" in str(error)


def test_a_training_has_as_many_epochs_as_there_is_time_for(
    workers: Workers, tmp_path: Path
) -> None:
    items = draw(tmp_path, "train", 24)
    long = prepare(tmp_path / "long", epochs=100_000, batch_size=4, passes=13)
    (result,) = workers.run(1, count_epochs, replace(long, seconds=60.0), items, items)
    # an epoch is 78 steps, and two of them are the fewest that are of use
    assert 2 <= result < 2_000
    short = prepare(tmp_path / "short", epochs=2, batch_size=4, passes=1)
    assert workers.run(1, count_epochs, replace(short, seconds=60.0), items, items) == [2]
    assert workers.run(1, count_epochs, long, items, items) == [100_000]


def test_all_workers_have_the_same_number_of_epochs(workers: Workers, tmp_path: Path) -> None:
    items = draw(tmp_path, "train", 25)
    job = replace(prepare(tmp_path, epochs=100_000, batch_size=4, passes=13), seconds=60.0)
    first, second = workers.run(2, count_epochs, job, items, items)
    assert first == second


def test_a_trial_of_the_time_leaves_the_model_as_it_is(workers: Workers, tmp_path: Path) -> None:
    items = draw(tmp_path, "train", 24)
    timed = replace(prepare(tmp_path / "timed", epochs=2), seconds=600.0)
    untimed = prepare(tmp_path / "untimed", epochs=2)
    for job in (timed, untimed):
        workers.run(2, train, job, items, items)
    assert_equal(read_trained(timed.run), read_trained(untimed.run))


def test_without_time_for_enough_steps_nothing_is_trained(workers: Workers, tmp_path: Path) -> None:
    items = draw(tmp_path, "train", 24)
    job = replace(prepare(tmp_path, epochs=100), seconds=0.001)
    for error in workers.run(2, train, job, items, items):
        assert isinstance(error, OverBudgetError)
        said = r"fine-tuning would take .+ s at least, and has 0\.0 s of what 'minutes' allows"
        assert re.fullmatch(said, str(error))
    assert job.run.names(files.CHECKPOINTS) == set()


class LastLayers(Watched):
    """A trainer that has time for the last layers alone."""

    def _time_step(self) -> float:
        return 1e6 if isinstance(self.inputs, Pixels) else 1e-6


def train_last_layers(
    job: TrainingJob, items: pa.Table, held_out: pa.Table, stop_after: int | None = None
) -> Trained:
    return train(job, items, held_out, stop_after, by=LastLayers)


def test_without_time_for_the_whole_network_its_last_layers_learn(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    job = replace(prepare(tmp_path, QUICK, **LAST), seconds=60.0)
    results = workers.run(2, train_last_layers, job, undisturbed.items, undisturbed.held_out)
    history, state = read_checkpoint(job.run) or ([], {})
    assert state["layer"] == "features.11"
    assert history[-1].train_loss < 0.8 * history[0].train_loss
    initial = read_safetensors(job.initial_uri, job.run.storage)
    trained = read_trained(job.run)
    assert trained.keys() == initial.keys()
    changed = {name for name in trained if not torch.equal(trained[name], initial[name])}
    assert changed == {name for name in trained if "features.11." in name or "features.12." in name
                       or name.startswith(("head.", "backbone.classifier"))}  # fmt: skip
    model = build_classifier(QUICK, 3, PREPROCESSING.size_px).eval()
    model.load_state_dict(trained)
    for each in results:
        assert_judged_as(model, undisturbed.held_out, each.scored)


def assert_judged_as(model: nn.Module, items: pa.Table, scored: Scored) -> None:
    """Check that a model that was written says of held-out items what they were scored with."""
    uris = dict(zip(items["item_id"].to_pylist(), items["uri"].to_pylist(), strict=True))
    preparer = Preparer(PREPROCESSING, ReadingConfig(threads=2), StorageConfig())
    read = [*preparer.stream([uris[each] for each in scored.item_ids], [None] * len(uris))]
    pixels = torch.from_numpy(np.stack([e.pixels for e in read if e.pixels is not None]))
    with torch.no_grad():
        logits = model(normalise(pixels, PREPROCESSING, torch.float32))
    torch.testing.assert_close(logits, scored.logits, rtol=0.02, atol=0.02)


def test_a_training_of_the_last_layers_goes_on_as_if_it_had_not_stopped(
    workers: Workers, undisturbed: Training, tmp_path: Path
) -> None:
    whole = replace(prepare(tmp_path / "whole", QUICK, **LAST), seconds=60.0)
    stopped = replace(prepare(tmp_path / "stopped", QUICK, **LAST), seconds=60.0)
    given = (undisturbed.items, undisturbed.held_out)
    workers.run(2, train_last_layers, whole, *given)
    workers.run(2, train_last_layers, stopped, *given, 2)
    workers.run(2, train_last_layers, stopped, *given)
    assert_equal(read_trained(stopped.run), read_trained(whole.run))


def record(epoch: int) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        epochs=99,
        train_loss=1 / epoch,
        validation_loss=1.0,
        validation_accuracy=0.5,
        images_per_s=1.0,
        seconds=1.0,
        learning_rate=0.001,
    )


def write_for_ever(run: Run, history: list[EpochRecord]) -> None:
    while True:
        history = [*history, record(len(history) + 1)]
        write_checkpoint(run, history, {"n": torch.full((300_000,), len(history))})


def kill_writers(run: Run, kills: int) -> list[tuple[int, Tensor]]:
    """Kill processes that write checkpoints, each at another moment; read after each kill.

    There are more kills on a machine with much else to do: until as many epochs are written.
    """
    random, found = Random(0), list[tuple[int, Tensor]]()  # noqa: S311  # chooses moments, guards nothing
    killed = 0
    while killed < kills or not found or found[-1][0] <= kills:
        killed += 1
        history, _ = read_checkpoint(run) or ([], {})
        if not (writer := os.fork()):
            write_for_ever(run, history)
        time.sleep(random.uniform(0.01, 0.1))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        if latest := read_checkpoint(run):
            assert [each.epoch for each in latest[0]] == list(range(1, len(latest[0]) + 1))
            found.append((len(latest[0]), latest[1]["n"]))
    return found


def test_whenever_a_writer_is_killed_the_latest_checkpoint_is_whole(
    workers: Workers, tmp_path: Path
) -> None:
    # in a worker: it has no threads that a fork would lose
    (found,) = workers.run(1, kill_writers, run_at(tmp_path), 25)
    assert not isinstance(found, Exception), found
    assert len(found) > 10
    assert all(torch.equal(n, torch.full((300_000,), epoch)) for epoch, n in found)
    epochs = [epoch for epoch, _ in found]
    assert epochs == sorted(epochs)
    assert epochs[-1] > 25


def test_before_the_first_epoch_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert read_checkpoint(run_at(tmp_path / "run")) is None
    write_trained(run_at(tmp_path), {"a": torch.ones(2)})
    assert read_checkpoint(run_at(tmp_path)) is None


def test_a_checkpoint_read_again_is_what_was_written(tmp_path: Path) -> None:
    history = [record(1), record(2)]
    state: dict[str, Any] = {
        "model": {"w": torch.randn(3)},
        "optimizer": {"state": {0: {"step": 4}}, "lr": 0.1},
    }
    write_checkpoint(run_at(tmp_path), history, state)
    read_history, read_state = read_checkpoint(run_at(tmp_path)) or ([], {})
    assert read_history == history
    assert torch.equal(read_state["model"]["w"], state["model"]["w"])
    assert read_state["optimizer"] == state["optimizer"]


def test_the_tenth_epoch_comes_after_the_ninth(tmp_path: Path) -> None:
    for count in (9, 10, 11):
        history = [record(epoch + 1) for epoch in range(count)]
        write_checkpoint(run_at(tmp_path), history, {})
        assert run_at(tmp_path).names(files.CHECKPOINTS) == {f"epoch-{count:04d}.pt"}
        assert len((read_checkpoint(run_at(tmp_path)) or ([], {}))[0]) == count
