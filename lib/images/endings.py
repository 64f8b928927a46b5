"""Whether a file was cut short, where its decoder only says that something is wrong with it."""

import contextlib
import re
from typing import TYPE_CHECKING, Final, cast

from PIL.ImageFile import ImageFile

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

_LAST_MARKS: Final = {"JPEG": rb"\xff\xd9\x00*$", "PNG": rb"IEND", "GIF": rb";\x00*$"}
_TIFF_PARTS: Final = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
_HEAD_BYTES: Final = 4096  # as far as searches look


def ends_early(name: str, data: bytes, image: ImageFile | None) -> bool:
    """Tell a file that was cut short: its last mark is missing, or it is shorter than it says."""
    if name in _LAST_MARKS:
        return not re.search(_LAST_MARKS[name], data[-64:])
    if name == "WebP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if name in ("AVIF", "HEIC", "JPEG 2000"):
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
