"""From a picture to the model's numbers: the one place where preprocessing is applied."""

import torch
from torch.nn.functional import interpolate

from lib.images.preprocessing import Preprocessing

_WHITE = 255


def resize(image: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Fit a uint8 [3, h, w] picture to the model: uint8 [3, size_px, size_px].

    `crop` keeps the centred square, `pad` keeps all of the picture, centred on white, and
    `squash` keeps all of it and lets its shape go. The crop comes before the resize, so that no
    picture, however long, is ever made larger than the model's input.
    """
    size = preprocessing.size_px
    height, width = image.shape[-2:]
    match preprocessing.fit:
        case "squash":
            return _scale(image, size, size)
        case "crop":
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            return _scale(image[:, top : top + side, left : left + side], size, size)
        case "pad":
            longest = max(height, width)
            inner_height = max(1, round(height * size / longest))
            inner_width = max(1, round(width * size / longest))
            top, left = (size - inner_height) // 2, (size - inner_width) // 2
            padded = torch.full((3, size, size), _WHITE, dtype=torch.uint8, device=image.device)
            padded[:, top : top + inner_height, left : left + inner_width] = _scale(
                image, inner_height, inner_width
            )
            return padded


def _scale(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    size = (height, width)
    # what torchvision.transforms.v2.functional.resize does, without its import of two seconds
    scaled = interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)
    return scaled[0].contiguous()


def normalise(
    batch: torch.Tensor, preprocessing: Preprocessing, dtype: torch.dtype
) -> torch.Tensor:
    """Turn uint8 [n, 3, s, s] into the model's numbers, on the device where the batch is.

    The arithmetic is done in float32 at least, whatever the result is rounded to.
    """
    exact = torch.promote_types(dtype, torch.float32)
    shape = (1, 3, 1, 1)
    mean = torch.tensor(preprocessing.mean, dtype=exact, device=batch.device).view(shape)
    std = torch.tensor(preprocessing.std, dtype=exact, device=batch.device).view(shape)
    return batch.to(exact).div_(255).sub_(mean).div_(std).to(dtype)
