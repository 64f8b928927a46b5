"""Drawn photos to train on, for our trainer and for a plain script, and the default network."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import safetensors.torch
import torch
from PIL.Image import Resampling
from torch import nn

from lib.images.config import ReadingConfig
from lib.images.preparer import Preparer
from lib.images.preprocessing import Preprocessing
from lib.models.classifier import build_classifier
from lib.models.config import DEFAULT_ARCHITECTURE
from lib.models.pretrained import PACKAGE, load_backbone, parameters_of
from lib.runs import files
from lib.runs.run import Run
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.training.config import TrainingConfig, choose_dials
from lib.training.dataset import load_pixels
from lib.training.job import TrainingJob
from tests.helpers.catalogs import draw, encode

SIZE_PX = 96
PREPROCESSING = Preprocessing(
    size_px=SIZE_PX, fit="crop", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
# by the ground of its pictures; two are near enough to each other that there is something to learn
GROUNDS = {
    "clay": (150, 90, 70),
    "brick": (165, 80, 60),
    "moss": (90, 110, 70),
    "fern": (80, 120, 80),
    "slate": (90, 100, 120),
}
CATEGORIES = tuple(GROUNDS)


@dataclass(frozen=True, kw_only=True)
class DrawnPhotos:
    """Labelled photos in a folder, the network's first weights, and both as tensors for a script.

    Attributes:
        folder: what all lies in.
        items: to train on, columns of `ITEM_SCHEMA`.
        held_out: to validate on, likewise.
    """

    folder: Path
    items: pa.Table
    held_out: pa.Table

    @property
    def initial(self) -> Path:
        """The first weights, under the names of our classifier."""
        return self.folder / "initial.safetensors"

    @property
    def tensors(self) -> Path:
        """The photos to train on: `pixels` uint8 [n, 3, s, s], `targets` int64 [n]."""
        return self.folder / "photos.safetensors"

    def job(self, name: str, batch_size: int, epochs: int, seed: int = 0) -> TrainingJob:
        """Describe a training in a run folder of its own."""
        run = Run(name, str(self.folder / name), Storage(StorageConfig()))
        run.write_table(files.TRAIN_ITEMS, self.items)
        run.write_table(files.VALIDATION_ITEMS, self.held_out)
        recipe = TrainingConfig(epochs=epochs, batch_size=batch_size, precision="fp32", seed=seed)
        return TrainingJob(
            run=run,
            initial_uri=str(self.initial),
            architecture=DEFAULT_ARCHITECTURE,
            category_ids=CATEGORIES,
            preprocessing=PREPROCESSING,
            dials=choose_dials(recipe, self.items.num_rows, pretrained=True),
            reading=ReadingConfig(threads=2),
        )


def draw_photos(folder: Path, count: int, held_out: int) -> DrawnPhotos:
    """Draw photos, and write what trainings begin with."""
    storage = Storage(StorageConfig())
    drawn = DrawnPhotos(
        folder=folder,
        items=_draw(folder, "train", count),
        held_out=_draw(folder, "held-out", held_out),
    )
    torch.manual_seed(0)
    classifier = build_classifier(DEFAULT_ARCHITECTURE, len(CATEGORIES), SIZE_PX)
    load_backbone(classifier, DEFAULT_ARCHITECTURE, PACKAGE, storage)
    nn.init.zeros_(classifier.head.weight)
    nn.init.zeros_(classifier.head.bias)
    safetensors.torch.save_file(parameters_of(classifier), drawn.initial)
    preparer = Preparer(PREPROCESSING, ReadingConfig(threads=2), storage.config)
    loaded = load_pixels(drawn.items, CATEGORIES, SIZE_PX, preparer)
    safetensors.torch.save_file({"pixels": loaded.pixels, "targets": loaded.targets}, drawn.tensors)
    return drawn


def draw_large(folder: Path, count: int, size: tuple[int, int]) -> pa.Table:
    """Draw photos as telephones make them, each with an etag; columns of `ITEM_SCHEMA`."""
    (folder / "large").mkdir()
    rows = []
    for number in range(count):
        category = CATEGORIES[number % len(CATEGORIES)]
        path = folder / "large" / f"{number:05d}.jpg"
        drawn = draw(2_000_000 + number, GROUNDS[category])
        path.write_bytes(encode(drawn.resize(size, Resampling.BICUBIC), "jpg"))
        rows.append({"item_id": path.stem, "uri": str(path), "etag": "1", "category_id": category})
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def _draw(folder: Path, name: str, count: int) -> pa.Table:
    (folder / name).mkdir()
    rows = []
    for number in range(count):
        category = CATEGORIES[number % len(CATEGORIES)]
        path = folder / name / f"{number:05d}.jpg"
        # each set has pictures of its own
        seed = number if name == "train" else 1_000_000 + number
        path.write_bytes(encode(draw(seed, GROUNDS[category]), "jpg"))
        rows.append({"item_id": path.stem, "uri": str(path), "category_id": category})
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)
