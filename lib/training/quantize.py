"""A trained backbone made ready for CPUs, and its int8 compared with float32 on held-out items."""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from lib.images.preparer import Preparer
from lib.models.classifier import build_classifier
from lib.models.int8 import FEWEST_ITEMS, Int8, Probabilities, judge_int8
from lib.models.openvino_runtime import OpenVinoNetwork, convert, is_installed, quantise
from lib.runs import files
from lib.training.checkpoint import read_best
from lib.training.dataset import load_pixels
from lib.training.trainer import TrainingJob

CALIBRATION_ITEMS, HELD_OUT_ITEMS = 300, 2000
BATCH = 32
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """Files of a bundle by name, and how labels are made in int8, where they may be."""

    files: dict[str, bytes]
    int8: Int8 | None = None


def compile_backbone(job: TrainingJob, temperature: float) -> Compiled:
    """Compile the best model of a training for OpenVINO, where it is installed.

    Args:
        job: the training; some of its run's items give the scales of int8, and those held out
            judge it.
        temperature: of the calibrated confidences.
    """
    if not is_installed():
        LOGGER.warning("openvino is not installed: the bundle has no faster model for CPUs")
        return Compiled(files={})
    size_px = job.preprocessing.size_px
    classifier = build_classifier(job.architecture, len(job.category_ids), size_px)
    classifier.load_state_dict(read_best(job.run))
    converted = convert(classifier.backbone, job.preprocessing)
    if not is_installed("nncf"):
        LOGGER.warning("nncf is not installed: the bundle has no model in int8")
        return Compiled(files=converted)
    held_out = job.run.read_table(files.VALIDATION_ITEMS)
    if held_out.num_rows < FEWEST_ITEMS:
        return Compiled(files=converted)
    train = job.run.read_table(files.TRAIN_ITEMS)
    preparer = Preparer(job.preprocessing, job.reading, job.run.storage.config)
    some = load_pixels(_spread(train, CALIBRATION_ITEMS), job.category_ids, size_px, preparer)
    judges = load_pixels(_spread(held_out, HELD_OUT_ITEMS), job.category_ids, size_px, preparer)
    quantised = quantise(converted, some.pixels)
    threads, head = torch.get_num_threads(), classifier.head

    def score(network: OpenVinoNetwork) -> Probabilities:
        logits = linear(_embed(network, judges.pixels), head.weight, head.bias)
        found: Probabilities = torch.softmax(logits / temperature, dim=1).detach().numpy()
        return found

    int8 = judge_int8(
        score(OpenVinoNetwork(converted, precision="fp32", batch=BATCH, threads=threads)),
        score(OpenVinoNetwork(quantised, precision="int8", batch=BATCH, threads=threads)),
        judges.targets.numpy(),
    )
    return Compiled(files={**converted, **(quantised if int8 else {})}, int8=int8)


def _spread(items: pa.Table, count: int) -> pa.Table:
    """Take so many items, evenly over all of them."""
    places = np.linspace(0, items.num_rows - 1, min(count, items.num_rows)).astype(np.int64)
    return items.take(pa.array(places))


def _embed(network: OpenVinoNetwork, pixels: Tensor) -> Tensor:
    parts = []
    for images in pixels.split(BATCH):
        filled = pad(images, (0, 0, 0, 0, 0, 0, 0, BATCH - len(images)))
        parts.append(network(filled)[: len(images)])
    return torch.cat(parts)
