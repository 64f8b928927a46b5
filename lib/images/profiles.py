"""Pictures in another colour space than sRGB become what a screen of sRGB shows."""

from collections.abc import Callable
from functools import lru_cache, partial
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

_SPACES: Final = {"L": ("GRAY", "RGB"), "RGB": ("RGB",), "CMYK": ("CMYK",)}  # by mode: ICC's
_NO_MORE: Final = 2  # levels apart: sRGB under another name, whose pixels stay as they are
_USUAL_GAMMA: Final = 1 / 2.2
_GAMMA_APART: Final = 0.05  # a share: libpng's own threshold, below which gamma is no matter
_PROBE: Final = (0, 16, 48, 96, 128, 176, 224, 255)

Space = bytes | float  # an ICC profile, or the gamma of a PNG file
Transform = Callable[[Image.Image], Image.Image]


def to_srgb(image: Image.Image, space: Space) -> Image.Image:
    """Return an image in sRGB, with the transparency it has; the same one where it is in sRGB.

    A profile that cannot be read, or is of other colours than the image's, counts as none.
    """
    has_alpha = image.has_transparency_data
    opaque = image
    if image.mode not in _SPACES or has_alpha:
        is_grey = image.mode in ("1", "L", "LA", "La")
        opaque = image.convert("RGBA" if has_alpha else "RGB").convert("L" if is_grey else "RGB")
    transform = _transform(space, opaque.mode)
    if transform is None:
        return image
    result = transform(opaque)
    if has_alpha:
        result.putalpha(image.convert("RGBA").getchannel("A"))
    return result


def is_srgb(profile: bytes, mode: str) -> bool:
    """Say whether pixels stay as they are under an ICC profile, as they do where it is broken."""
    return _transform(profile, mode) is None


@lru_cache(maxsize=64)  # a catalog has few profiles, and each takes a while to prepare
def _transform(space: Space, mode: str) -> Transform | None:
    return _of_gamma(space, mode) if isinstance(space, float) else _of_profile(space, mode)


def _of_gamma(gamma: float, mode: str) -> Transform | None:
    if mode == "CMYK" or gamma <= 0 or abs(gamma / _USUAL_GAMMA - 1) < _GAMMA_APART:
        return None
    light = np.linspace(0, 1, 256) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table = (encoded * 255).round().astype(int).tolist()
    return lambda image: image.point(table * len(image.getbands())).convert("RGB")


def _of_profile(profile: bytes, mode: str) -> Transform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        colours = source.profile.xcolor_space.strip()
        if colours not in _SPACES[mode]:
            return None
        taken = mode if colours == "GRAY" else colours  # grey may have a profile of colours
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), taken, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None
    apply = partial(_apply, transform, taken)
    return None if mode != "CMYK" and _changes_nothing(apply, mode) else apply


def _apply(transform: ImageCms.ImageCmsTransform, mode: str, image: Image.Image) -> Image.Image:
    return transform.apply(image if image.mode == mode else image.convert(mode))


def _changes_nothing(apply: Transform, mode: str) -> bool:
    """Say so of sRGB's own profile, in whatever words its maker wrote it."""
    levels = np.array(_PROBE, np.uint8)
    grid = levels[:, None] if mode == "L" else np.stack(np.meshgrid(*[levels] * 3), -1)
    probe = Image.fromarray(grid.reshape(1, -1) if mode == "L" else grid.reshape(1, -1, 3))
    before, after = np.asarray(probe.convert("RGB")), np.asarray(apply(probe))
    return bool(np.abs(before.astype(int) - after).max() <= _NO_MORE)
