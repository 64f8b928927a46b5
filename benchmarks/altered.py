"""Photos altered as shops alter them: what of each is still the same picture."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageEnhance, ImageOps

Picture = Image.Image


def _cropped(picture: Picture, share: float) -> Picture:
    """Cut as much off each side that so large a share of each length is lost."""
    width, height = picture.size
    left, top = round(width * share / 2), round(height * share / 2)
    return picture.crop((left, top, width - left, height - top))


def _smaller(picture: Picture, factor: int) -> Picture:
    width, height = picture.size
    return picture.resize((max(width // factor, 1), max(height // factor, 1)))


def _compressed(picture: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def _bordered(picture: Picture, colour: str) -> Picture:
    return ImageOps.expand(picture, round(max(picture.size) * 0.08), colour)


def _tinted(picture: Picture) -> Picture:
    red, green, blue = picture.split()
    return Image.merge(
        "RGB",
        (
            red.point(lambda v: min(255, round(v * 1.15))),
            green,
            blue.point(lambda v: round(v * 0.8)),
        ),
    )


ALTERATIONS: Mapping[str, Callable[[Picture], Picture]] = MappingProxyType(
    {
        "crop, 5 % of each length": lambda picture: _cropped(picture, 0.05),
        "crop, 15 %": lambda picture: _cropped(picture, 0.15),
        "resize to half": lambda picture: _smaller(picture, 2),
        "resize to a quarter": lambda picture: _smaller(picture, 4),
        "JPEG of quality 30": lambda picture: _compressed(picture, 30),
        "JPEG of quality 10": lambda picture: _compressed(picture, 10),
        "border, white": lambda picture: _bordered(picture, "white"),
        "border, black": lambda picture: _bordered(picture, "black"),
        "flip": ImageOps.mirror,
        "colour, brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
        "colour, warmer": _tinted,
        "colour, none": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
    }
)
