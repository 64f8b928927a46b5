"""The colours of a decoded picture, whatever they are stored as, become 8-bit RGB on white."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from lib.images.profiles import Space, to_srgb

_PHOTOMETRIC: Final = 262


def to_rgb(image: Image.Image, space: Space | None = None) -> Image.Image:
    """Return 8-bit RGB.

    Transparency is laid on white; 16-bit grey keeps its high byte, and deeper grey is scaled (see
    `_eight_bits`).

    Args:
        image: of any mode.
        space: that its colours are in, where that may not be sRGB.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(image))
    if space is not None:
        image = to_srgb(image, space)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Scale deep grey to 0..255.

    16 bits keep the high byte. Integers of 32 bits and floats do not say their range: 0..1
    (floats), 0..255 and 0..65535 are taken as that, anything else from its least to its most.
    """
    deep = np.asarray(image)
    if deep.dtype.kind == "u":
        grey = (deep >> 8).astype(np.uint8)
    else:
        values = np.nan_to_num(deep.astype(np.float32), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        ranges = (1, 255, 65535) if image.mode == "F" else (255, 65535)
        if low >= 0 and high <= ranges[-1]:
            low, high = 0.0, float(next(top for top in ranges if high <= top))
        values = (values - low) * (255 / max(high - low, 1e-30))
        grey = values.round().astype(np.uint8)
    inverted = isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0
    return 255 - grey if inverted else grey
