"""Augmentation of a batch on its device: random affine crops, flips and light."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lib.training.config import AugmentationConfig


def augment(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Give every image of a batch its own random crop, stretch, turn, flip and light.

    Args:
        images: uint8 [n, 3, s, s].
        config: how much.
        generator: of the CPU; the same state gives the same result.

    Returns:
        float32 [n, 3, s, s] in 0 to 255, on the device of `images`.
    """
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    scale = 1 - uniform(0, config.zoom)
    stretch = torch.exp(uniform(-1, 1) * math.log1p(config.stretch) / 2)
    angle = uniform(-1, 1) * math.radians(config.rotation_degrees)
    mirror = torch.where(uniform(0, 1) < (0.5 if config.flip else 0.0), -1.0, 1.0)
    # the crop stays inside the picture
    shift_x, shift_y = uniform(-1, 1) * (1 - scale), uniform(-1, 1) * (1 - scale)
    width, height = scale * stretch * mirror, scale / stretch
    theta = torch.stack(
        [
            torch.stack([angle.cos() * width, -angle.sin() * height, shift_x], dim=1),
            torch.stack([angle.sin() * width, angle.cos() * height, shift_y], dim=1),
        ],
        dim=1,
    ).to(images.device)
    # in the half precision of an autocast the grid would be off by half a pixel
    with torch.autocast(images.device.type, enabled=False):
        grid = affine_grid(theta, list(images.shape), align_corners=False)
    moved = grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    contrast = (1 + uniform(-1, 1) * config.light).to(images.device).view(-1, 1, 1, 1)
    brightness = (uniform(-1, 1) * config.light * 128).to(images.device).view(-1, 1, 1, 1)
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    return ((moved - mean) * contrast + mean + brightness).clamp_(0, 255)
