"""A PNG file's chunks that say nothing of its pixels are left out: they may be damaged."""

import zlib
from collections.abc import Iterator
from typing import Final

_SIGNATURE_BYTES: Final = 8
_FRAME_BYTES: Final = 12  # of a chunk: length, kind, checksum
_ANCILLARY: Final = 0x20  # of the kind's first byte
_TEXT_MOST: Final = 2**20  # what Pillow takes of a text or a profile
_KEPT: Final = (b"tRNS", b"gAMA", b"sRGB", b"cICP", b"eXIf")
_COMPRESSED: Final = (b"iCCP", b"zTXt", b"iTXt")
_NOTES: Final = (b"XML:com.adobe.xmp", b"Raw profile type exif")  # these may turn the picture


def without_needless_chunks(data: bytes) -> bytes:
    """Return a PNG file without ancillary chunks that are damaged, or mean nothing to its pixels.

    An animation becomes the image that stands for it. What is not well-formed stays as it is.
    """
    kept: list[memoryview] = []
    view = memoryview(data)
    begun = 0
    for start, end in _chunks(data):
        if data[start + 4] & _ANCILLARY and not _is_needed(view[start:end]):
            kept.append(view[begun:start])
            begun = end
    return b"".join((*kept, view[begun:])) if begun else data


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    at = _SIGNATURE_BYTES
    while at + _FRAME_BYTES <= len(data):
        end = at + _FRAME_BYTES + int.from_bytes(data[at : at + 4])
        if end > len(data):
            return
        yield at, end
        at = end


def _is_needed(chunk: memoryview) -> bool:
    kind = bytes(chunk[4:8])
    if kind not in _KEPT:
        if kind not in (*_COMPRESSED, b"tEXt"):
            return False
        keyword, _, content = bytes(chunk[8:-4]).partition(b"\0")
        if kind != b"iCCP" and keyword not in _NOTES:
            return False
        if kind in _COMPRESSED and not _can_be_read(kind, content):
            return False
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _can_be_read(kind: bytes, content: bytes) -> bool:
    """Say whether a chunk's content is compressed in the one way there is, and is not too large."""
    if kind == b"iTXt":
        is_compressed, content = content[:1] != b"\0", content[1:]
        if not is_compressed:
            return len(content) <= _TEXT_MOST
    parts = content[1:].split(b"\0", 2) if kind == b"iTXt" else [content[1:]]
    reader = zlib.decompressobj()
    try:
        reader.decompress(parts[-1], _TEXT_MOST)
    except zlib.error:
        return False
    return content[:1] == b"\0" and not reader.unconsumed_tail
