"""Photos altered as shops alter them: what of each is still the same picture."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Picture = Image.Image


def _cropped(picture: Picture, share: float) -> Picture:
    """Cut as much off each side that so large a share of each length is lost."""
    width, height = picture.size
    left, top = round(width * share / 2), round(height * share / 2)
    return picture.crop((left, top, width - left, height - top))


def _corner(picture: Picture, share: float) -> Picture:
    """Cut off the right and the bottom."""
    width, height = picture.size
    return picture.crop((0, 0, round(width * (1 - share)), round(height * (1 - share))))


def _with_badge(picture: Picture) -> Picture:
    """Lay a red disc over a corner: a thirtieth of a square picture."""
    covered, side = picture.copy(), min(picture.size) // 5
    right, top = picture.width - side // 5, side // 5
    ImageDraw.Draw(covered).ellipse((right - side, top, right, top + side), fill=(220, 20, 30))
    return covered


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
        "crop, 15 %, of one corner": lambda picture: _corner(picture, 0.15),
        "badge": _with_badge,
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
