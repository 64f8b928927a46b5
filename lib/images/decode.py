"""The bytes of an image file become pixels, for training and inference alike."""

from functools import partial

import numpy as np
from PIL.ImageFile import ImageFile

from lib.images.formats import DecodeLimits, read_image
from lib.images.jpeg import Pixels
from lib.images.painted import paint
from lib.images.preprocessing import Preprocessing
from lib.images.scaling import divisor_of


def decode(data: bytes, limits: DecodeLimits, preprocessing: Preprocessing | None = None) -> Pixels:
    """Decode an image file to uint8 [3, height, width] in RGB, upright, on white.

    EXIF orientation is applied, and what `lib.images.formats` says of other formats. The memory's
    order is free.

    Args:
        data: the file.
        limits: of the whole picture, however small it is decoded.
        preprocessing: what follows, where that lets a JPEG file be decoded smaller than it is.

    Raises:
        ItemError: the bytes hold no picture that can be decoded within the limits.
    """
    return read_image(data, limits, partial(_pixels, preprocessing=preprocessing))


def _pixels(image: ImageFile, data: bytes, *, preprocessing: Preprocessing | None) -> Pixels:
    divisor = divisor_of(*image.size, preprocessing) if preprocessing else 1
    pixels, orientation = paint(image, data, divisor)
    return _upright(pixels.transpose(2, 0, 1), orientation)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo EXIF orientation: 5 to 8 swap the axes, the rest are flips."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(1, 2)
    flips = {2: (2,), 3: (1, 2), 4: (1,), 6: (2,), 7: (1, 2), 8: (1,)}.get(orientation)
    return np.ascontiguousarray(np.flip(pixels, flips)) if flips else pixels
