"""Which runtime and precision a bundle's backbone runs with on this machine."""

import logging
from typing import Protocol

import safetensors.torch
from torch import Tensor

from lib.bundle import Bundle, read_part
from lib.device import pick_device, pick_dtype
from lib.engine import Device, Precision, Runtime
from lib.openvino_network import GRAPH, WEIGHTS, OpenVinoNetwork, convert, has_bf16, is_installed
from lib.storage import Storage

LOGGER = logging.getLogger(__name__)


class Network(Protocol):
    """A backbone: uint8 [batch, 3, s, s] to float32 [batch, d] on its device."""

    description: str

    def __call__(self, images: Tensor) -> Tensor:
        """Give the embeddings of a batch."""
        ...


class Networks:
    """Opens a bundle's backbone in one precision or another."""

    def __init__(
        self, bundle: Bundle, storage: Storage, *, device: Device, runtime: Runtime, threads: int
    ) -> None:
        """Choose the runtime: OpenVINO on a CPU where it is installed and the bundle has it."""
        self._bundle, self._storage, self._threads = bundle, storage, threads
        self._device = pick_device(device)
        converted = GRAPH in bundle.info.digests
        wanted = runtime == "openvino" or (runtime == "auto" and converted)
        self._on_openvino = wanted and self._device.type == "cpu" and is_installed()
        if wanted and self._device.type == "cpu" and not self._on_openvino:
            LOGGER.warning("openvino is not installed: torch classifies, at about half the rate")
        if self._on_openvino:
            self._files = self._read_files() if converted else self._convert()

    def open(self, precision: Precision, batch: int) -> Network:
        """Open the backbone for batches of one size; `auto` is bf16 where the device has it."""
        if self._on_openvino:
            chosen = precision if precision != "auto" else "bf16" if has_bf16() else "fp32"
            return OpenVinoNetwork(
                self._files, precision=chosen, batch=batch, threads=self._threads
            )
        # torchvision takes two seconds to import, and only torch needs it
        from lib.bundle_model import load_classifier  # noqa: PLC0415
        from lib.torch_network import TorchNetwork  # noqa: PLC0415

        classifier = load_classifier(self._bundle, self._storage)
        dtype = pick_dtype(precision, self._device)
        return TorchNetwork(
            classifier.backbone, self._bundle.info.preprocessing, self._device, dtype
        )

    def open_head(self) -> tuple[Tensor, Tensor]:
        """Give the head's weight, float32 [categories, d], and bias, on the device."""
        digest = self._bundle.info.digests.get("model")
        data = read_part(self._bundle.uri, "model.safetensors", digest, self._storage)
        state = safetensors.torch.load(data)
        return state["head.weight"].to(self._device), state["head.bias"].to(self._device)

    def _read_files(self) -> dict[str, bytes]:
        digests = self._bundle.info.digests
        return {
            name: read_part(self._bundle.uri, name, digests[name], self._storage)
            for name in (GRAPH, WEIGHTS)
        }

    def _convert(self) -> dict[str, bytes]:
        from lib.bundle_model import load_classifier  # noqa: PLC0415  # as above

        backbone = load_classifier(self._bundle, self._storage).backbone
        return convert(backbone, self._bundle.info.preprocessing)
