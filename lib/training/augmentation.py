"""Augmentation of a batch on its device: random affine crops, flips and light."""

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lib.config.config import Config


class AugmentationConfig(Config):
    """How much each image is changed; 0 leaves that part out."""

    zoom: float = Field(default=0.3, ge=0, lt=1, description="up to this share is cropped away")
    stretch: float = Field(default=0.15, ge=0, lt=1)
    rotation_degrees: float = Field(default=10.0, ge=0, le=180)
    flip: bool = True
    light: float = Field(default=0.2, ge=0, lt=1, description="brightness and contrast, +- share")


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
