"""From a picture to the size that the model takes: the one place where that is done."""

import numpy as np

from lib.images.jpeg import Pixels
from lib.images.preprocessing import Preprocessing
from lib.images.resampling import Resample, by_torch

_WHITE = 255


def resize(image: Pixels, preprocessing: Preprocessing, resample: Resample = by_torch) -> Pixels:
    """Fit a uint8 [3, h, w] picture to the model: uint8 [3, size_px, size_px].

    `crop` keeps the centred square, `pad` keeps all of the picture, centred on white, and
    `squash` keeps all of it and lets its shape go. The crop comes before the resize, so that no
    picture, however long, is ever made larger than the model's input.

    Args:
        image: the picture, in any order in memory.
        preprocessing: what the model takes.
        resample: how, with the same result either way.
    """
    size = preprocessing.size_px
    height, width = image.shape[-2:]
    match preprocessing.fit:
        case "squash":
            return resample(image, size, size)
        case "crop":
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            return resample(image[:, top : top + side, left : left + side], size, size)
        case "pad":
            longest = max(height, width)
            inner_height = max(1, round(height * size / longest))
            inner_width = max(1, round(width * size / longest))
            top, left = (size - inner_height) // 2, (size - inner_width) // 2
            padded = np.full((3, size, size), _WHITE, np.uint8)
            padded[:, top : top + inner_height, left : left + inner_width] = resample(
                image, inner_height, inner_width
            )
            return padded
