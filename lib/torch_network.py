"""Torch: a backbone on whatever device this process has."""

import torch
from torch import Tensor, nn

from lib.preprocessing import Preprocessing
from lib.resize import normalise

PRECISIONS = {torch.bfloat16: "bf16", torch.float32: "fp32"}


class TorchNetwork:
    """A backbone: uint8 [batch, 3, s, s] to float32 [batch, d] on the device."""

    def __init__(
        self,
        backbone: nn.Module,
        preprocessing: Preprocessing,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Put a backbone on a device in a precision."""
        self._device, self._dtype, self._preprocessing = device, dtype, preprocessing
        placed = backbone.to(device=device, dtype=dtype)
        self._backbone = placed.to(memory_format=torch.channels_last)
        self.description = f"torch {torch.__version__}, {device.type}, {PRECISIONS[dtype]}"

    def __call__(self, images: Tensor) -> Tensor:
        """Give the embeddings of a batch."""
        pixels = normalise(images.to(self._device), self._preprocessing, self._dtype)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        embeddings: Tensor = self._backbone(pixels)
        return embeddings.float()
