"""Image files are opened within limits, as what a person would see, or end as an `ItemError`."""

import contextlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from lib.images.bmp import with_plain_pixels
from lib.images.endings import ends_early
from lib.images.jpeg import with_end
from lib.images.png import without_needless_chunks
from lib.images.quiet import quietly
from lib.images.signatures import recognise
from lib.reasons import ItemError, Reason
from lib.storage.allowance import check_bytes

_ORIENTATION: Final = 274
_TILE_SIZE: Final = (322, 323)
_SAYS_SHORT: Final = re.compile("truncated|premature end", re.IGNORECASE)
_SHORT: Final = "the {} file ends before its picture does"

# what its decoder would take for damage, though no pixel is missing
_MENDED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "JPEG": with_end,
    "PNG": without_needless_chunks,
    "BMP": with_plain_pixels,
}

Taken = TypeVar("Taken")


def _at_once(_pixels: int) -> None:
    """Let an image be decoded whatever else is."""


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What one image may cost; the header is checked against it before any pixel is decoded.

    Attributes:
        max_pixels: width times height.
        max_bytes: of the file.
        admit: is told how many pixels are about to be decoded, and may wait.
    """

    max_pixels: int = 100_000_000
    max_bytes: int = 100 * 2**20
    admit: Callable[[int], None] = field(default=_at_once, compare=False, repr=False)


def read_image(
    data: bytes, limits: DecodeLimits, take: Callable[[ImageFile, bytes], Taken]
) -> Taken:
    """Open an image file and return what `take` makes of it, as `lib.images.painted.paint` does.

    Of several frames the first counts. Any thread may call this.

    Args:
        data: the file.
        limits: compared with the header before `take` decodes any pixel.
        take: is given the file opened by Pillow, and its bytes; what it raises is explained.

    Raises:
        ItemError: the bytes hold no picture that can be decoded within the limits.
    """
    if not data:
        raise ItemError(Reason.EMPTY, "the file has no bytes")
    check_bytes(len(data), limits.max_bytes)
    name, opener = recognise(data)
    image: ImageFile | None = None
    with quietly():
        try:
            # not Image.open: its bomb check has a process-wide limit, this one is the caller's
            mended = _MENDED[name](data) if name in _MENDED else data
            image = opener(io.BytesIO(mended))
            pixels = _checked_pixels(name, image, limits)
            if name == "JPEG 2000" and ends_early(name, data, image):  # its decoder goes on
                _refuse(Reason.TRUNCATED, _SHORT.format(name))
            limits.admit(pixels)
            return take(image, mended)
        except ItemError:
            raise
        except Image.DecompressionBombError:
            _refuse(Reason.TOO_LARGE, f"a frame of the {name} file has too many pixels")
        except Exception as error:  # noqa: BLE001 - decoders raise whatever they like
            said = str(error) or type(error).__name__
            if _SAYS_SHORT.search(said) or ends_early(name, data, image):
                _refuse(Reason.TRUNCATED, _SHORT.format(name))
            _refuse(Reason.DECODE_FAILED, f"the {name} file is damaged or unusual: {said}")


def _refuse(reason: Reason, detail: str) -> NoReturn:
    line = " ".join("".join(c if c.isprintable() else " " for c in detail).split())
    raise ItemError(reason, line[:200]) from None


def _checked_pixels(name: str, image: ImageFile, limits: DecodeLimits) -> int:
    sizes = [image.size]
    if isinstance(image, TiffImageFile):
        sizes.append(tuple(image.tag_v2.get(tag, 0) for tag in _TILE_SIZE))
    for width, height in sizes:
        if width * height > limits.max_pixels:
            size = f"{width:,} x {height:,} pixels, more than {limits.max_pixels:,}"
            _refuse(Reason.TOO_LARGE, f"the {name} file holds {size}")
    return max(width * height for width, height in sizes)


def orientation_of(image: ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8; some formats turn themselves as they are loaded."""
    with contextlib.suppress(Exception):  # broken metadata is no reason to lose the picture
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1
