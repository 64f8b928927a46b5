"""Which runtime and precision a bundle's backbone runs with on this machine."""

import logging
from typing import Protocol

import torch
from torch import Tensor

from lib.errors import InputError
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, damaged, read_part
from lib.models.bundle_tensors import read_tensors
from lib.models.bundle_weights import load_classifier
from lib.models.device import computes_bf16, pick_device
from lib.models.head import Head
from lib.models.openvino_check import fault_in
from lib.models.openvino_runtime import FILES, OpenVinoNetwork, convert, is_installed
from lib.models.options import ChosenPrecision, Device, EnginePrecision, Runtime
from lib.models.torch_runtime import TorchNetwork
from lib.storage.storage import Storage

LOGGER = logging.getLogger(__name__)


class Network(Protocol):
    """A backbone: uint8 [batch, 3, s, s] to float32 [batch, d] on its device."""

    description: str

    def __call__(self, images: Tensor) -> Tensor:
        """Return the embeddings of a batch."""


def read_head(bundle: Bundle, storage: Storage, device: torch.device) -> Head:
    """Read a bundle's head.

    Raises:
        InputError: the file is not there, or is not the one that bundle.json describes.
    """
    info, state = bundle.info, read_tensors(bundle, storage)
    weight, bias = state["head.weight"].to(device), state["head.bias"].to(device)
    nothing = weight.new_empty(0, weight.shape[1]), bias.new_empty(0)
    apart = state.get(APART_WEIGHT, nothing[0]), state.get(APART_BIAS, nothing[1])
    apart_weight, apart_bias = (each.to(device) for each in apart)
    return Head(
        weight, bias, info.category_ids, info.temperature, apart_weight, apart_bias, info.head_power
    )


class Networks:
    """Opens a bundle's backbone in one precision or another."""

    def __init__(
        self, bundle: Bundle, storage: Storage, *, device: Device, runtime: Runtime, threads: int
    ) -> None:
        """Choose the runtime: OpenVINO on a CPU where it is installed and the bundle has it."""
        self._bundle, self._storage, self._threads = bundle, storage, threads
        self._device = pick_device(device)
        graph, _ = FILES["fp32"]
        converted = graph in bundle.info.digests
        wanted = runtime == "openvino" or (runtime == "auto" and converted)
        self._on_openvino = wanted and self._device.type == "cpu" and is_installed()
        if wanted and self._device.type == "cpu" and not self._on_openvino:
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
    def computes_bf16(self) -> bool:
        """Whether the device computes in bf16 itself."""
        return computes_bf16(self._device)

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
        assert precision != "int8"
        backbone = load_classifier(self._bundle, self._storage).backbone
        preprocessing = self._bundle.info.preprocessing
        return TorchNetwork(backbone, preprocessing, self._device, precision)

    def open_head(self) -> Head:
        """Return the head, on the device."""
        return read_head(self._bundle, self._storage, self._device)

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
        backbone = load_classifier(self._bundle, self._storage).backbone
        return convert(backbone, self._bundle.info.preprocessing)
