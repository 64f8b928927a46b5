"""Torch: a backbone on whatever device this process has."""

import threading
from typing import Literal

import torch
from torch import Tensor, nn

from lib.images.preprocessing import Preprocessing
from lib.images.resize import normalise


class TorchNetwork:
    """A backbone: uint8 [batch, 3, s, s] to float32 [batch, d] on the device.

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

    def __call__(self, images: Tensor) -> Tensor:
        """Return the embeddings of a batch."""
        with self._lock:
            pixels = normalise(images.to(self._device), self._preprocessing, self._dtype)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            embeddings: Tensor = self._backbone(pixels)
            return embeddings.float()
