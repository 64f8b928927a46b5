"""The bytes of an image file become pixels, for training and inference alike."""

import numpy as np
import torch
from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from lib.images.colours import to_rgb
from lib.images.formats import DecodeLimits, orientation_of, read_image
from lib.images.jpeg import decode_jpeg


def decode(data: bytes, limits: DecodeLimits) -> torch.Tensor:
    """Decode an image file to uint8 [3, height, width] in RGB, upright, on white.

    EXIF orientation is applied, and what `lib.images.formats` says of other formats. The memory's
    order is free.

    Raises:
        ItemError: the bytes hold no picture that can be decoded within the limits.
    """
    return read_image(data, limits, _pixels)


def _pixels(image: ImageFile, data: bytes) -> torch.Tensor:
    picture: Image.Image = image
    if isinstance(image, JpegImageFile):
        stored = decode_jpeg(image, data)
        if image.mode != "CMYK":
            return _upright(torch.from_numpy(stored).permute(2, 0, 1), orientation_of(image))
        picture = Image.frombuffer("CMYK", image.size, stored, "raw", "CMYK", 0, 1)
    elif isinstance(image, GifImageFile):
        picture = _first_frame(image)
    else:
        image.load()
    orientation = orientation_of(image)  # after load: some formats turn themselves
    rgb = to_rgb(picture)
    planes = np.stack([np.asarray(rgb.getchannel(index)) for index in range(3)])
    return _upright(torch.from_numpy(planes), orientation)


def _first_frame(image: GifImageFile) -> Image.Image:
    """Lay a GIF's first frame on its canvas, which is white where the frame does not reach."""
    place = image.tile[0].extents
    image.load()
    canvas = (0, 0, *image.size)
    if place in (None, canvas):
        return image
    picture = Image.new("RGB", image.size, "white")
    picture.paste(to_rgb(image.crop(place)), place)
    return picture


def _upright(pixels: torch.Tensor, orientation: int) -> torch.Tensor:
    """Undo EXIF orientation: 5 to 8 swap the axes, the rest are flips."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 2)
    flips = {2: [2], 3: [1, 2], 4: [1], 6: [2], 7: [1, 2], 8: [1]}.get(orientation)
    return pixels.flip(flips) if flips else pixels
