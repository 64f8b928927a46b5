"""The bytes of an image file become pixels, for training and inference alike."""

import contextlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from lib.images.colours import to_rgb
from lib.images.formats import DecodeLimits, orientation_of, read_image

_RGB: Final = 3  # torchvision.io.ImageReadMode.RGB


def decode(data: bytes, limits: DecodeLimits) -> torch.Tensor:
    """Decode an image file to uint8 [3, height, width] in RGB, upright, on white.

    EXIF orientation is applied, and what `lib.images.formats` says of other formats. The memory's
    order is free.

    Raises:
        ItemError: the bytes hold no picture that can be decoded within the limits.
    """
    _operators()  # not in there, where whatever is raised counts as the image's fault
    return read_image(data, limits, _pixels)


def _pixels(image: ImageFile, data: bytes) -> torch.Tensor:
    if isinstance(image, JpegImageFile) and image.mode in ("RGB", "L"):
        # the operator behind torchvision.io.decode_jpeg, which would warn at each call
        with contextlib.suppress(RuntimeError):  # Pillow may know better, or says what is wrong
            encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            pixels = cast("torch.Tensor", _operators().decode_jpeg(encoded, _RGB))
            return _upright(pixels, orientation_of(image))
    image.load()
    orientation = orientation_of(image)  # after load: some formats turn themselves
    rgb = to_rgb(image)
    planes = np.stack([np.asarray(rgb.getchannel(index)) for index in range(3)])
    return _upright(torch.from_numpy(planes), orientation)


def _upright(pixels: torch.Tensor, orientation: int) -> torch.Tensor:
    """Undo EXIF orientation: 5 to 8 swap the axes, the rest are flips."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 2)
    flips = {2: [2], 3: [1, 2], 4: [1], 6: [2], 7: [1, 2], 8: [1]}.get(orientation)
    return pixels.flip(flips) if flips else pixels


@cache
def _operators() -> Any:  # noqa: ANN401  # torch makes it at run time
    """Register torchvision's image operators, without its import of two seconds."""
    place = importlib.util.find_spec("torchvision")
    assert place is not None
    assert place.submodule_search_locations is not None
    (library,) = Path(place.submodule_search_locations[0]).glob("image_stable.*")
    torch.ops.load_library(str(library))
    return torch.ops.image
