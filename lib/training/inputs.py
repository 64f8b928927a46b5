"""What a network is shown while it learns: pixels, or features that its first layers have made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lib.images.normalise import normalise
from lib.images.preprocessing import Preprocessing
from lib.training.augmentation import augment
from lib.training.config import AugmentationConfig
from lib.training.cut import Cut
from lib.training.dataset import allocate

VIEWS = 2  # of each photo: as it is, and changed
# at a time: with more, what a layer gives no longer fits a processor's cache (half the speed)
PHOTOS_AT_ONCE = 16


class Inputs(Protocol):
    """What a network is shown, on its device."""

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Return some photos to learn from, each changed at random."""
        ...

    def held_out(self) -> Iterator[Tensor]:
        """Return all held-out photos, in batches."""
        ...


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """Pixels for a whole network.

    Attributes:
        train: uint8 [n, 3, s, s].
        validation: uint8 [m, 3, s, s].
        preprocessing: how they are normalised.
        augmentation: how they are changed.
        batch_size: held-out photos at a time.
        device: that computes.
    """

    train: Tensor
    validation: Tensor
    preprocessing: Preprocessing
    augmentation: AugmentationConfig
    batch_size: int
    device: torch.device

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Return normalised photos, each with its own crop, turn and light; float32."""
        images = self.train[chosen].to(self.device)
        return self._normalised(augment(images, self.augmentation, generator))

    def held_out(self) -> Iterator[Tensor]:
        """Return normalised photos as they are, in batches."""
        return self.as_they_are(self.validation)

    def as_they_are(self, images: Tensor) -> Iterator[Tensor]:
        """Return normalised photos, in batches."""
        batches = images.split(self.batch_size)
        return (self._normalised(each.to(self.device)) for each in batches if len(each))

    def _normalised(self, images: Tensor) -> Tensor:
        pixels = normalise(images, self.preprocessing, torch.float32)
        return pixels.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features for the last layers of a network, made once.

    Attributes:
        train: of each view, float16 [n, ...].
        validation: float16 [m, ...].
        flip: whether they are mirrored at random, which costs nothing here.
        batch_size: held-out photos at a time.
        device: that computes.
    """

    train: list[Tensor]
    validation: Tensor
    flip: bool
    batch_size: int
    device: torch.device

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Return one view of each photo, float32."""
        count = len(chosen)
        view_of = torch.randint(len(self.train), (count,), generator=generator)
        picked = self.train[0][chosen]
        for number, view in enumerate(self.train):
            mine = view_of == number
            picked[mine] = view[chosen[mine]]
        features = self._on_device(picked)
        if not self.flip:
            return features
        mirrored = torch.rand(count, generator=generator).to(self.device) < 0.5
        mirrored = mirrored.view(-1, *[1] * (features.ndim - 1))
        return torch.where(mirrored, features.flip(-1), features)

    def held_out(self) -> Iterator[Tensor]:
        """Return the features of photos as they are, in batches."""
        batches = self.validation.split(self.batch_size)
        return (self._on_device(each) for each in batches if len(each))

    def _on_device(self, features: Tensor) -> Tensor:
        moved = features.to(self.device).float()
        return moved.contiguous(memory_format=torch.channels_last) if moved.ndim == 4 else moved


def make_features(cut: Cut, pixels: Pixels, generator: torch.Generator) -> Features:
    """Compute the first layers once for all photos and their views.

    Args:
        cut: the network's.
        pixels: what the whole network would be shown.
        generator: of the views; the same state gives the same ones.
    """

    def kept(batches: Iterator[Tensor], count: int) -> Tensor:
        store, at = torch.empty(0), 0
        for batch in batches:
            features = cut.features(batch).half().cpu()
            if at == 0:
                store = allocate((count, *features.shape[1:]), np.float16)
            store[at : at + len(features)] = features
            at += len(features)
        return store

    photos = len(pixels.train)
    batch_size = pixels.batch_size
    if pixels.device.type == "cpu":
        pixels = replace(pixels, batch_size=min(PHOTOS_AT_ONCE, batch_size))
    rows = torch.arange(photos).split(pixels.batch_size)
    plain = kept(pixels.as_they_are(pixels.train), photos)
    changed = [
        kept((pixels.batch(each, generator) for each in rows), photos) for _ in range(VIEWS - 1)
    ]
    *_, height, width = plain.shape  # of an image's places, unless channels come last
    return Features(
        train=[plain, *changed],
        validation=kept(pixels.held_out(), len(pixels.validation)),
        flip=pixels.augmentation.flip and plain.ndim == 4 and height == width,
        batch_size=batch_size,
        device=pixels.device,
    )
