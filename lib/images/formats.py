"""Image files are opened within limits, as what a person would see, or end as an `ItemError`."""

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lib.reasons import ItemError, Reason
from lib.storage.allowance import check_bytes

_PHOTOMETRIC, _ORIENTATION, _TILE_SIZE = 262, 274, (322, 323)
_LAST_MARKS: Final = {"JPEG": rb"\xff\xd9\x00*$", "PNG": rb"IEND", "GIF": rb";\x00*$"}
_TIFF_PARTS: Final = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles

_DECODED: Final[tuple[tuple[str, bytes, type[ImageFile]], ...]] = (
    ("JPEG", rb"\xff\xd8\xff", JpegImageFile),
    ("PNG", rb"\x89PNG\r\n\x1a\n", PngImageFile),
    ("WebP", rb"RIFF.{4}WEBP", WebPImageFile),
    ("GIF", rb"GIF8[79]a", GifImageFile),
    ("BMP", rb"BM.{12}[\x0c\x10(48@l|]\x00{3}", BmpImageFile),
    ("TIFF", rb"II[*+]\x00|MM\x00[*+]", TiffImageFile),
    ("AVIF", rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1).{4,40}?avif)", AvifImageFile),
    ("JPEG 2000", rb"\x00{3}\x0cjP  \r\n\x87\n|\xffO\xffQ", Jpeg2KImageFile),
)
_NOT_DECODED: Final = (
    ("HEIC", rb".{4}ftyp(?:hei|hev|mif1|msf1)"),
    ("MP4 or QuickTime", rb".{4}ftyp"),
    ("PDF", rb"%PDF-"),
    ("Photoshop", rb"8BPS"),
    ("EPS", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("ICO", rb"\x00\x00[\x01\x02]\x00[^\x00]\x00"),
    ("Netpbm", rb"P[1-7fF]\s"),
    ("JPEG XL", rb"\xff\x0a|\x00{3}\x0cJXL "),
)
_SHORT: Final = "the {} file ends before its picture does"
_HEAD_BYTES: Final = 4096  # as far as searches look

Taken = TypeVar("Taken")


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What one image may cost; the header is checked against it before any pixel is decoded."""

    max_pixels: int = 100_000_000
    max_bytes: int = 100 * 2**20


class _Quiet(threading.local):
    """The message pattern of one warnings filter: it matches in threads that are decoding."""

    decoding = False

    def match(self, _text: str) -> bool:
        return self.decoding


_QUIET: Final = _Quiet()
_QUIET_FILTER: Final = ("ignore", _QUIET, Warning, None, 0)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Let no warning of this thread out; `catch_warnings` would swap the filters of all."""
    filters = cast("list[object]", warnings.filters)
    if not filters or filters[0] is not _QUIET_FILTER:  # others put theirs first, or an older list
        filters[:] = [_QUIET_FILTER, *(each for each in filters if each is not _QUIET_FILTER)]
    _QUIET.decoding = True
    try:
        yield
    finally:
        _QUIET.decoding = False


def read_image(
    data: bytes, limits: DecodeLimits, take: Callable[[ImageFile, bytes], Taken]
) -> Taken:
    """Open an image file and return what `take` makes of it, as `to_rgb` and `orientation_of` do.

    Of several frames the first counts. Colour profiles are not applied. Any thread may call this.

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
    name, opener = _recognise(data)
    image: ImageFile | None = None
    with _quietly():
        try:
            # not Image.open: its bomb check has a process-wide limit, this one is the caller's
            image = opener(io.BytesIO(data))
            _check_size(name, image, limits)
            if name == "JPEG 2000" and _ends_early(name, data, image):  # its decoder goes on
                _refuse(Reason.TRUNCATED, _SHORT.format(name))
            return take(image, data)
        except ItemError:
            raise
        except Image.DecompressionBombError:
            _refuse(Reason.TOO_LARGE, f"a frame of the {name} file has too many pixels")
        except Exception as error:  # noqa: BLE001 - decoders raise whatever they like
            said = str(error) or type(error).__name__
            if "truncated" in said.lower() or _ends_early(name, data, image):
                _refuse(Reason.TRUNCATED, _SHORT.format(name))
            _refuse(Reason.DECODE_FAILED, f"the {name} file is damaged or unusual: {said}")


def _refuse(reason: Reason, detail: str) -> NoReturn:
    line = " ".join("".join(c if c.isprintable() else " " for c in detail).split())
    raise ItemError(reason, line[:200]) from None


def _recognise(data: bytes) -> tuple[str, type[ImageFile]]:
    for name, pattern, opener in _DECODED:
        if re.match(pattern, data, re.DOTALL):
            return name, opener
    for name, pattern in _NOT_DECODED:
        if re.match(pattern, data, re.DOTALL):
            _refuse(Reason.UNSUPPORTED_FORMAT, f"{name} files are not decoded")
    text = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and (b"<html" in text or b"<!doctype html" in text):
        _refuse(Reason.NOT_AN_IMAGE, "the bytes are an HTML page, not an image")
    if text.startswith(b"<") and b"<svg" in text:
        _refuse(Reason.UNSUPPORTED_FORMAT, "SVG files are not decoded")
    if text.isascii() and text.decode().replace("\n", "").replace("\r", "").isprintable():
        _refuse(Reason.NOT_AN_IMAGE, "the bytes are text, not an image")
    _refuse(Reason.NOT_AN_IMAGE, "the bytes are of no known image format")


def _check_size(name: str, image: ImageFile, limits: DecodeLimits) -> None:
    sizes = [image.size]
    if isinstance(image, TiffImageFile):
        sizes.append(tuple(image.tag_v2.get(tag, 0) for tag in _TILE_SIZE))
    for width, height in sizes:
        if width * height > limits.max_pixels:
            size = f"{width:,} x {height:,} pixels, more than {limits.max_pixels:,}"
            _refuse(Reason.TOO_LARGE, f"the {name} file holds {size}")


def orientation_of(image: ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8; some formats turn themselves as they are loaded."""
    with contextlib.suppress(Exception):  # broken metadata is no reason to lose the picture
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Return 8-bit RGB.

    Transparency is laid on white; 16-bit grey keeps its high byte, and deeper grey is scaled (see
    `_eight_bits`).
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
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


def _ends_early(name: str, data: bytes, image: ImageFile | None) -> bool:
    """Tell a file that was cut short: its last mark is missing, or it is shorter than it says."""
    if name in _LAST_MARKS:
        return not re.search(_LAST_MARKS[name], data[-64:])
    if name == "WebP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if name in ("AVIF", "JPEG 2000"):
        return _boxes_end(data) > len(data)
    return name == "TIFF" and _tiff_end(data, image) > len(data)


def _boxes_end(data: bytes) -> int:
    if data.startswith(b"\xff") or b"\0\0\0\0jp2c" in data[:_HEAD_BYTES]:  # only a mark says it
        return len(data) + (not data.endswith(b"\xff\xd9"))
    end = 0
    while end < len(data):
        size = int.from_bytes(data[end : end + 4])
        if size < 8 <= len(data) - end:  # up to the end of the file, or 64 bits, or odd
            return len(data)
        end += max(size, 8)
    return end


def _tiff_end(data: bytes, image: ImageFile | None) -> int:
    end = 2 + int.from_bytes(data[4:8], "little" if data.startswith(b"I") else "big")
    with contextlib.suppress(Exception):  # the tags of a hostile file hold anything
        tags = cast("TiffImageFile", image).tag_v2
        for offsets, counts in _TIFF_PARTS:
            end = max(
                end, *map(sum, zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False))
            )
    return end
