"""Which runtime and precision a bundle's backbone runs with on this machine.

Torch is imported where it computes; its import takes longer than a small night.
"""

import logging
from typing import Protocol

from lib.embeddings.store import Embeddings
from lib.errors import InputError
from lib.images.device_decode import DeviceDecoder, gpu_name, open_on_gpu
from lib.images.jpeg import Pixels
from lib.models.bundle import Bundle, damaged, read_part
from lib.models.cpu_head import read_cpu_head
from lib.models.device import cpu_computes_bf16, gpu_computes_bf16, takes_gpu
from lib.models.int8 import Probabilities
from lib.models.openvino_check import fault_in
from lib.models.openvino_runtime import FILES, OpenVinoNetwork, is_installed
from lib.models.options import ChosenPrecision, Device, EnginePrecision, Runtime
from lib.storage.storage import Storage

LOGGER = logging.getLogger(__name__)


class Network(Protocol):
    """A backbone: uint8 [batch, 3, s, s] to embeddings, float16 [batch, d]."""

    description: str

    def __call__(self, images: Pixels) -> Embeddings:
        """Return the embeddings of a batch."""


class AnyHead(Protocol):
    """A head: embeddings, float16 [n, d], to calibrated probabilities, float32 [n, leaves]."""

    @property
    def width(self) -> int:
        """The d."""

    def probabilities(self, embeddings: Embeddings) -> Probabilities:
        """Return the probabilities, columns in the order of the bundle's `leaves`."""


class Networks:
    """Opens a bundle's backbone in one precision or another."""

    def __init__(
        self, bundle: Bundle, storage: Storage, *, device: Device, runtime: Runtime, threads: int
    ) -> None:
        """Choose the runtime: OpenVINO on a CPU where it is installed and the bundle has it."""
        self._bundle, self._storage, self._threads = bundle, storage, threads
        self._on_gpu = takes_gpu(device)
        graph, _ = FILES["fp32"]
        converted = graph in bundle.info.digests
        wanted = runtime == "openvino" or (runtime == "auto" and converted)
        self._on_openvino = wanted and not self._on_gpu and is_installed()
        if wanted and not self._on_gpu and not self._on_openvino:
            LOGGER.warning("openvino is not installed: torch classifies, at about half the rate")
        self._files: dict[str, dict[str, bytes]] = {}
        if self._on_openvino and not converted:
            self._files["fp32"] = self._convert()

    def choose(self, wanted: EnginePrecision) -> ChosenPrecision:
        """Choose a precision; `auto` is the fastest that keeps the labels.

        Raises:
            InputError: int8 is wanted, and cannot be had.
        """
        int8 = self._on_openvino and self._bundle.info.int8 is not None
        if wanted == "int8" and not int8:
            raise InputError(
                "engine.precision is int8: expected a bundle that was found to keep its labels in "
                "int8, a CPU, and OpenVINO installed; leave the key out to take what there is"
            )
        if wanted != "auto":
            return wanted
        if int8:
            return "int8"
        return "bf16" if self.computes_bf16 else "fp32"

    @property
    def needs_torch(self) -> bool:
        """Whether torch computes, and so is imported."""
        return not self._on_openvino

    @property
    def batch(self) -> int:
        """Images that are worth a forward pass: on a CPU, more are no faster and take longer."""
        return 64 if self._on_gpu else 16

    @property
    def computes_bf16(self) -> bool:
        """Whether the device computes in bf16 itself."""
        return gpu_computes_bf16() if self._on_gpu else cpu_computes_bf16()

    def open(self, precision: ChosenPrecision, batch: int, width: int) -> Network:
        """Open the backbone for batches of one size.

        Args:
            precision: that it computes in.
            batch: images of each batch.
            width: of the embeddings that the head takes.

        Raises:
            InputError: a file is not there, or is damaged.
        """
        if self._on_openvino:
            name = "int8" if precision == "int8" else "fp32"
            if name not in self._files:  # bf16 and float32 are made of the same
                self._files[name] = self._read_files(name, width)
            return OpenVinoNetwork(
                self._files[name], precision=precision, batch=batch, threads=self._threads
            )
        from lib.models import torch_runtime  # noqa: PLC0415  # takes seconds

        assert precision != "int8"
        on_gpu = self._on_gpu
        return torch_runtime.open_network(self._bundle, self._storage, precision, on_gpu=on_gpu)

    def open_head(self) -> AnyHead:
        """Return the head, on the device.

        Raises:
            InputError: the file is not there, or is damaged.
        """
        if not self._on_gpu:
            return read_cpu_head(self._bundle, self._storage)
        from lib.models import torch_runtime  # noqa: PLC0415  # takes seconds

        return torch_runtime.open_head_on_gpu(self._bundle, self._storage)

    def open_jpeg_decoder(self) -> DeviceDecoder | None:
        """Return what decodes JPEG files on the GPU, where labels were found to be as good so."""
        measured = self._bundle.info.device_decode
        if not self._on_gpu or measured is None:
            return None
        if measured.gpu != (here := gpu_name()):
            LOGGER.warning(
                "JPEG files are decoded on CPUs alone: %s has decoded them at the training of the "
                "bundle, and here is %s",
                measured.gpu,
                here,
            )
            return None
        return open_on_gpu(self._bundle.info.preprocessing, self._threads)

    def _read_files(self, name: str, width: int) -> dict[str, bytes]:
        bundle = self._bundle
        graph, weights = FILES[name]
        found = {
            file: read_part(bundle.uri, file, bundle.info.digests.get(file), self._storage)
            for file in (graph, weights)
        }
        size_px = bundle.info.preprocessing.size_px
        if fault := fault_in(found[graph], found[weights], size_px=size_px, width=width):
            raise damaged(bundle, fault, f"{graph} or {weights}")
        return found

    def _convert(self) -> dict[str, bytes]:
        from lib.models.bundle_weights import load_classifier  # noqa: PLC0415  # takes seconds
        from lib.models.openvino_convert import convert  # noqa: PLC0415  # as above

        backbone = load_classifier(self._bundle, self._storage).backbone
        return convert(backbone, self._bundle.info.preprocessing)
