"""Torch: a backbone on whatever device this process has, and a head on a GPU."""

import threading
from typing import Literal

import torch
from torch import nn

from lib.embeddings.store import LARGEST, Embeddings
from lib.images.jpeg import Pixels
from lib.images.normalise import normalise
from lib.images.preprocessing import Preprocessing
from lib.models.bundle import Bundle
from lib.models.bundle_weights import load_classifier
from lib.models.device import pick_device
from lib.models.head import Head, read_head
from lib.models.int8 import Probabilities
from lib.storage.storage import Storage


class TorchNetwork:
    """A backbone: uint8 [batch, 3, s, s] to embeddings, float16 [batch, d].

    Threads may call it at once; one batch is computed at a time, with all of the device.
    """

    def __init__(
        self,
        backbone: nn.Module,
        preprocessing: Preprocessing,
        device: torch.device,
        precision: Literal["bf16", "fp32"],
    ) -> None:
        """Put a backbone on a device in a precision."""
        # of this process: cuDNN's own choice for float32 is TF32, of which a thousandth is noise
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]  # torch adds it at run time
        self._device, self._preprocessing = device, preprocessing
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        placed = backbone.to(device=device, dtype=self._dtype)
        self._backbone = placed.to(memory_format=torch.channels_last)
        self._lock = threading.Lock()
        self.description = f"torch {torch.__version__}, {device.type}, {precision}"

    @torch.inference_mode()
    def __call__(self, images: Pixels) -> Embeddings:
        """Return the embeddings of a batch."""
        with self._lock:
            given = torch.from_numpy(images).to(self._device)
            pixels = normalise(given, self._preprocessing, self._dtype)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            found = self._backbone(pixels).float()
            embeddings: Embeddings = found.clamp(-LARGEST, LARGEST).half().cpu().numpy()
            return embeddings


class TorchHead:
    """A head on a device; takes and gives what `lib.models.cpu_head.CpuHead` does."""

    def __init__(self, head: Head, device: torch.device) -> None:
        """Keep a head that is on the device."""
        self._head, self._device = head, device
        self.width = head.weight.shape[1]

    @torch.inference_mode()
    def probabilities(self, embeddings: Embeddings) -> Probabilities:
        """Return calibrated probabilities, float32 [n, leaves], of embeddings, float16 [n, d]."""
        kept = torch.from_numpy(embeddings).to(self._device)
        found: Probabilities = self._head.probabilities(kept).cpu().numpy()
        return found


def open_network(
    bundle: Bundle, storage: Storage, precision: Literal["bf16", "fp32"], *, on_gpu: bool
) -> TorchNetwork:
    """Open a bundle's backbone.

    Raises:
        InputError: it is damaged.
    """
    device = pick_device("cuda" if on_gpu else "cpu")
    backbone = load_classifier(bundle, storage).backbone
    return TorchNetwork(backbone, bundle.info.preprocessing, device, precision)


def open_head_on_gpu(bundle: Bundle, storage: Storage) -> TorchHead:
    """Open a bundle's head.

    Raises:
        InputError: it is damaged.
    """
    device = pick_device("cuda")
    return TorchHead(read_head(bundle, storage, device), device)
