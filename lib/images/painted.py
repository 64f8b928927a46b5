"""What a person would see of an opened image file, for models and for people alike."""

from typing import Final

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from lib.images.colours import to_rgb
from lib.images.formats import orientation_of
from lib.images.jpeg import Pixels, decode_jpeg
from lib.images.profiles import Space

_STRIP_PIXELS: Final = 2**20


def paint(image: ImageFile, data: bytes, divisor: int = 1) -> tuple[Pixels, int]:
    """Return uint8 [height, width, 3] in RGB, on white, and the EXIF orientation to be undone.

    Args:
        image: just opened.
        data: the file that it was opened from.
        divisor: by which the sides of a JPEG file are divided, rounded up; of 1, 2, 4 and 8.

    Raises:
        Exception: whatever its decoder raises.
    """
    picture: Image.Image = image
    if isinstance(image, JpegImageFile):
        pixels = decode_jpeg(image, data, divisor)
        if image.mode != "CMYK" and _space_of(image) is None:
            return pixels, orientation_of(image)
        if image.mode == "L":
            pixels = pixels[:, :, 0]
        size = (pixels.shape[1], pixels.shape[0])
        picture = Image.frombytes(image.mode, size, pixels.tobytes())
    elif isinstance(image, GifImageFile):
        picture = _first_frame(image)
    else:
        image.load()
        vars(image).pop("_decoder", None)  # WebP's and AVIF's holds canvases of its own
    orientation = orientation_of(image)  # after load: some formats turn themselves
    return _to_array(to_rgb(picture, _space_of(image))), orientation


def _to_array(picture: Image.Image) -> Pixels:
    """Return RGB [height, width, 3]; of large ones in strips, since Pillow gives away in pieces.

    Thousands of pieces at once would stay with the thread that they were made in.
    """
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    if rows >= height:
        return np.array(picture)  # a copy, since torch wants one that may be written to
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)))
    return pixels


def _space_of(image: ImageFile) -> Space | None:
    """Return the colour profile, or the gamma of a PNG file that says nothing better."""
    profile: bytes | None = image.info.get("icc_profile")
    if profile:
        return profile
    if isinstance(image, PngImageFile) and "srgb" not in image.info:
        gamma: float | None = image.info.get("gamma")
        return gamma
    return None


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
