"""A backbone as it stands: made ready for its device once, and asked for embeddings."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lib.embeddings.store import KEY_SCHEMA, to_table
from lib.images.config import ReadingConfig
from lib.images.device_decode import gpu_name, open_on_gpu
from lib.images.device_preparer import DevicePreparer
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer
from lib.images.preprocessing import Preprocessing
from lib.models.classifier import Classifier, build_classifier
from lib.models.device import pick_device
from lib.models.openvino_convert import convert, quantise
from lib.models.openvino_runtime import FILES, OpenVinoNetwork, is_installed
from lib.models.pretrained import read_safetensors
from lib.models.runtimes import Network
from lib.models.torch_runtime import TorchNetwork
from lib.reasons import ErrorItem
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.training.pixel_cache import CachingPreparer

BATCH = 32
SCALE_ITEMS = 300  # say how large activations are, for int8
LOGGER = logging.getLogger(__name__)
Precision = Literal["fp32", "int8"]


@dataclass(frozen=True, kw_only=True)
class BackboneJob:
    """A backbone, and where its compiled forms are kept; travels to workers.

    Attributes:
        storage: how to reach all places.
        state_uri: a classifier's tensors.
        kept_uri: a folder for what is compiled once.
        architecture: its network.
        categories: rows of the classifier's head.
        preprocessing: what it is shown.
        reading: how images are read.
        sharers: workers that share a machine's cache of decoded photos; 0: photos are not kept.
    """

    storage: Storage
    state_uri: str
    kept_uri: str
    architecture: str
    categories: int
    preprocessing: Preprocessing
    reading: ReadingConfig
    sharers: int = 0

    def preparer(self) -> Preparer:
        """Return what makes pixels of images."""
        storage = self.storage.config
        if self.sharers:
            return CachingPreparer(self.preprocessing, self.reading, storage, self.sharers)
        return Preparer(self.preprocessing, self.reading, storage)

    def load(self) -> Classifier:
        """Return the classifier, in evaluation mode."""
        size_px = self.preprocessing.size_px
        classifier = build_classifier(self.architecture, self.categories, size_px)
        classifier.load_state_dict(self.tensors())
        return classifier.eval()

    def tensors(self) -> dict[str, Tensor]:
        """Return the classifier's tensors, for which no network need be built."""
        return read_safetensors(self.state_uri, self.storage)

    def kept(self, precision: Precision) -> dict[str, bytes]:
        """Return a compiled form by file name; nothing where there is none."""
        uris = {name: join(self.kept_uri, name) for name in FILES[precision]}
        if not all(self.storage.exists(uri) for uri in uris.values()):
            return {}
        return {name: self.storage.read(uri) for name, uri in uris.items()}


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Embeddings with their keys, columns as in a store, and the items that could not be read."""

    rows: pa.Table
    unusable: list[ErrorItem]


def compile_backbone(job: BackboneJob, scale_items: pa.Table | None = None) -> bool:
    """Compile a backbone for CPUs, unless it is kept; say whether it is there now.

    Args:
        job: the backbone.
        scale_items: whose images give the scales of int8, if any can be read; None for float32.
    """
    library = "openvino" if scale_items is None else "nncf"
    if not is_installed() or not is_installed(library):
        LOGGER.warning("%s is not installed: the bundle has no faster model for CPUs", library)
        return False
    if scale_items is None:
        if not job.kept("fp32"):
            _keep(job, convert(job.load().backbone, job.preprocessing))
    elif not job.kept("int8"):
        compile_backbone(job)
        preparer = job.preparer()
        prepared = preparer.stream(scale_items["uri"].to_pylist(), scale_items["etag"].to_pylist())
        pixels = [each.pixels for each in prepared if each.pixels is not None]
        if not pixels:
            return False
        _keep(job, quantise(job.kept("fp32"), np.stack(pixels)))
    return True


def _keep(job: BackboneJob, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        job.storage.write(join(job.kept_uri, name), content)


def embed_items(
    job: BackboneJob,
    items: pa.Table,
    precision: Precision,
    threads: int,
    preparer: Preparer | None = None,
) -> Embedded:
    """Embed the images of some items.

    Args:
        job: the backbone, compiled for CPUs where it can be.
        items: columns of `ITEM_SCHEMA`.
        precision: int8 only where it is kept.
        threads: of this worker.
        preparer: makes their pixels; None: the job's own.
    """
    torch.set_num_threads(threads)
    network = _open(job, precision, threads)
    preparer = preparer or job.preparer()
    prepared: list[Prepared] = []

    def pixels() -> Iterator[Pixels]:
        for each in preparer.stream(items["uri"].to_pylist(), items["etag"].to_pylist()):
            prepared.append(each)
            if each.pixels is not None:
                yield each.pixels
                prepared[-1] = Prepared(error=None)  # pixels are not kept

    parts, remaining = [], pixels()
    filled = np.zeros((BATCH, 3, job.preprocessing.size_px, job.preprocessing.size_px), np.uint8)
    while batch := list(islice(remaining, BATCH)):
        np.stack(batch, out=filled[: len(batch)])
        parts.append(network(filled)[: len(batch)])
    errors = [each.error for each in prepared]
    usable = items.filter(pa.array([error is None for error in errors], pa.bool_()))
    rows = zip(items["item_id"].to_pylist(), items["uri"].to_pylist(), errors, strict=True)
    return Embedded(
        rows=to_table(usable["uri"], usable["etag"], np.concatenate(parts))
        if parts
        else KEY_SCHEMA.empty_table(),
        unusable=[
            ErrorItem(item_id=item_id, uri=uri, code=str(error.reason), detail=error.detail)
            for item_id, uri, error in rows
            if error is not None
        ],
    )


def embed_on_gpu(job: BackboneJob, items: pa.Table, threads: int) -> tuple[str, Embedded] | None:
    """Embed the images of some items from pixels that this worker's GPU decodes.

    Args:
        job: the backbone.
        items: columns of `ITEM_SCHEMA`.
        threads: of this worker.

    Returns:
        The GPU's name beside them; None where there is none, or it does not decode.
    """
    gpu = gpu_name()
    device = open_on_gpu(job.preprocessing, threads) if gpu else None
    if gpu is None or device is None:
        return None
    storage = job.storage.config
    preparer = DevicePreparer(job.preprocessing, job.reading, storage, device=device)
    return gpu, embed_items(job, items, "fp32", threads, preparer)


def shares_of(items: pa.Table, workers: int) -> list[pa.Table]:
    """Divide items evenly among workers, in their order; of a few, some workers have none."""
    size = max(math.ceil(items.num_rows / workers), BATCH)
    return [items.slice(start, size) for start in range(0, items.num_rows, size)]


def join_embedded(found: Sequence[Embedded]) -> Embedded:
    """Put what was found of shares together, in their order; there is at least one."""
    # where no image can be read there is no width, and another schema
    tables = [each.rows for each in found if each.rows.num_rows] or [found[0].rows]
    return Embedded(
        rows=pa.concat_tables(tables),
        unusable=[item for each in found for item in each.unusable],
    )


def _open(job: BackboneJob, precision: Precision, threads: int) -> Network:
    device = pick_device("auto")
    # int8 is for CPUs, whatever else there is
    on_cpu = device.type == "cpu" or precision == "int8"
    if on_cpu and (files := job.kept(precision)):
        return OpenVinoNetwork(files, precision=precision, batch=BATCH, threads=threads)
    assert precision == "fp32"
    return TorchNetwork(job.load().backbone, job.preprocessing, device, "fp32")
