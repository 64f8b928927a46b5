"""A PNG file's chunks that say nothing of its pixels are left out: they may be damaged."""

import zlib
from typing import Final

_SIGNATURE_BYTES: Final = 8
_FRAME_BYTES: Final = 12  # of a chunk: length, kind, checksum
_ANCILLARY: Final = 0x20  # of the kind's first byte
_KEYWORD_MOST: Final = 80
_TEXT_MOST: Final = 2**20  # what Pillow takes of a text or a profile
_COMPRESSED: Final = (b"iCCP", b"zTXt", b"iTXt")
_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")
_HEARD: Final = {b"tRNS", b"gAMA", b"sRGB", b"cICP", b"eXIf", *_COMPRESSED, *_TEXTS}
_NOTES: Final = (b"XML:com.adobe.xmp", b"Raw profile type exif")  # these may turn the picture


def without_needless_chunks(data: bytes) -> bytes:
    """Return a PNG file without ancillary chunks that are damaged, or mean nothing to its pixels.

    An animation becomes the image that stands for it. What is not well-formed stays as it is.
    """
    kept: list[memoryview] = []
    view = memoryview(data)
    at, begun = _SIGNATURE_BYTES, 0
    known: set[bytes] = set()
    while at + _FRAME_BYTES <= len(data):
        kind = data[at + 4 : at + 8]
        end = at + _FRAME_BYTES + int.from_bytes(data[at : at + 4])
        if end > len(data):
            if kind[0] & _ANCILLARY:  # the file is cut short, but perhaps behind its pixels
                return b"".join((*kept, view[begun:at]))
            break
        if kind[0] & _ANCILLARY and not (kind in _HEARD and _is_needed(kind, view[at:end], known)):
            if begun < at:
                kept.append(view[begun:at])
            begun = end
        at = end
    return b"".join((*kept, view[begun:])) if begun else data


def _is_needed(kind: bytes, chunk: memoryview, known: set[bytes]) -> bool:
    """Say so of a chunk that is sound, the first of its kind, and not too large."""
    keyword = bytes(chunk[8 : 8 + _KEYWORD_MOST]).partition(b"\0")[0]
    if kind in _TEXTS and keyword not in _NOTES:
        return False
    name = kind + keyword if kind in _TEXTS else kind
    if name in known:
        return False
    known.add(name)
    if kind in _COMPRESSED and not _can_be_read(kind, bytes(chunk[9 + len(keyword) : -4])):
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
