"""Pixels through a network, as training and its evaluation show them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.images.preprocessing import Preprocessing
from lib.images.resize import normalise


@dataclass(frozen=True, kw_only=True)
class PixelPass:
    """How pixels are shown to a network.

    Attributes:
        preprocessing: the network's.
        device: that computes.
        dtype: in which it does, where that loses nothing.
        batch_size: images at a time, where nothing is learned.
    """

    preprocessing: Preprocessing
    device: torch.device
    dtype: torch.dtype
    batch_size: int

    def show(
        self, network: nn.Module, images: Tensor, change: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Return logits, float32 [n, categories].

        Args:
            network: a classifier, or what wraps one.
            images: uint8 [n, 3, s, s].
            change: an augmentation, given them on the device.
        """
        given = images.to(self.device)
        with torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        ):
            pixels = normalise(
                change(given) if change else given, self.preprocessing, torch.float32
            )
            logits: Tensor = network(pixels.contiguous(memory_format=torch.channels_last))
        return logits.float()

    @torch.no_grad()
    def score(self, network: nn.Module, images: Tensor, categories: int) -> Tensor:
        """Return logits of images that nothing is learned from, float32 [n, categories]."""
        network.eval()
        batches = [self.show(network, each) for each in images.split(self.batch_size) if len(each)]
        return torch.cat(batches) if batches else torch.empty(0, categories, device=self.device)
