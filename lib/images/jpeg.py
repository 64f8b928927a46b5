"""JPEG files are decoded by libjpeg-turbo, whose warnings tell a whole picture from half a one."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

END: Final = b"\xff\xd9"
SCAN, SEQUENTIAL, RESTART_INTERVAL = 0xDA, (0xC0, 0xC1), 0xDD
_PROGRESSIVE, _PROFILE = 0xC2, 0xE2
FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # of every process there is
_LAST_COEFFICIENT: Final = 63
SEGMENTS_MOST: Final = 100_000  # no picture has as many, and each takes a microsecond
_OWN_ZEROS: Final = 2  # at the end of what a file holds
_NEXT_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_SPACES: Final = {"RGB": "RGB", "L": "RGB", "CMYK": "CMYK"}
# every row is decoded all the same; of several warnings the first is told
_HARMLESS: Final = ("extraneous bytes before marker", "bad ICC marker", "Unknown Adobe")

Pixels = NDArray[np.uint8]


def decode_jpeg(image: JpegImageFile, data: bytes, divisor: int = 1) -> Pixels:
    """Decode to [height, width, 3] in RGB, or to [height, width, 4] in CMYK as Pillow has it.

    Args:
        image: opened by Pillow.
        data: the file.
        divisor: by which both sides are divided, rounded up: 1, 2, 4 or 8. A file of an unusual
            process, as a lossless one, is decoded whole.

    Raises:
        ValueError: the entropy-coded data is damaged or ends early; libjpeg's own words.
    """
    space = _SPACES[image.mode]
    if divisor > 1 and not _can_be_scaled(data):
        divisor = 1
    try:
        pixels = _decode(data, space, divisor)
    except _HarmlessError:
        plain = _without_junk(data)
        try:
            pixels = _decode(plain, space, divisor)
        except _HarmlessError:
            pixels = _decode(plain, space, divisor, strict=False)
    return ~pixels if space == "CMYK" else pixels  # Adobe's files hold the inverse


class _HarmlessError(ValueError):
    """A warning of libjpeg's that costs no pixel."""


def _decode(data: bytes, space: str, divisor: int, *, strict: bool = True) -> Pixels:
    decode = partial(simplejpeg.decode_jpeg, data, space, strict=strict)
    try:
        pixels: Pixels = decode() if divisor == 1 else _scaled(decode, data, len(space), divisor)
    except ValueError as error:
        if any(words in str(error) for words in _HARMLESS):
            raise _HarmlessError(str(error)) from None
        raise
    return pixels


def _scaled(decode: Callable[..., Pixels], data: bytes, channels: int, divisor: int) -> Pixels:
    height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
    return decode(
        min_height=-(-height // divisor),
        min_width=-(-width // divisor),
        # libjpeg-turbo writes all pixels of a lossless file, whatever size it was asked for: room
        # for them keeps one that passes for another from writing elsewhere, and costs no memory
        buffer=np.empty(height * width * channels, np.uint8),
    )


def _can_be_scaled(data: bytes) -> bool:
    found = islice(segments(data), SEGMENTS_MOST)
    frame = next((marker for _, marker, _ in found if marker in FRAMES), None)
    return frame in (*SEQUENTIAL, _PROGRESSIVE)


def _without_junk(data: bytes) -> bytes:
    """Leave out what stands between the segments before the first scan, and the colour profile."""
    kept = [data[:2]]
    for start, marker, segment in segments(data):
        if marker == SCAN:
            return b"".join((*kept, data[start:]))
        if marker != _PROFILE:
            kept.append(bytes((0xFF, marker)) + (len(segment) + 2).to_bytes(2) + segment)
    return data


def with_end(data: bytes) -> bytes:
    """Return a JPEG file with an end mark where only that is lost; else as it is.

    The mark makes the decoder say whether rows are missing: without one it complains at all.
    """
    if data.endswith(END):
        return data
    wanted: dict[int, list[int]] = {}  # by component: bits that each coefficient still lacks
    is_progressive = False
    for _, marker, segment in islice(segments(data), SEGMENTS_MOST):
        if marker in (*SEQUENTIAL, _PROGRESSIVE):
            is_progressive = marker == _PROGRESSIVE
            wanted = {each: [1] * (_LAST_COEFFICIENT + 1) for each in segment[6::3]}
        elif marker == SCAN:
            _strike_out(wanted, segment, is_progressive=is_progressive)
        elif marker == END[1]:
            return data
    if not wanted or any(map(any, wanted.values())):  # later scans are lost, or another process
        return data
    body = data.rstrip(b"\0")
    if len(data) - len(body) > _OWN_ZEROS:  # zeros that pad a file would be taken for pixels
        data = body + b"\0" if body.endswith(b"\xff") else body
    return data.removesuffix(b"\xff") + END


def segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield place, marker and content of each segment; what stands between them is skipped."""
    at = 2
    while found := _NEXT_MARKER.search(data, at):
        marker = found[1][0]
        at = found.end()
        if marker == END[1]:
            yield found.start(), marker, b""
            return
        length = int.from_bytes(data[at : at + 2])
        yield found.start(), marker, data[at + 2 : at + length]
        at += length


def _strike_out(wanted: dict[int, list[int]], segment: bytes, *, is_progressive: bool) -> None:
    """Note what a scan brings: all of its components, or some bits of some coefficients."""
    count = segment[0] if segment else 0
    first, last, bits = 0, _LAST_COEFFICIENT, 0
    if is_progressive and len(segment) >= 2 * count + 4:
        first, last = segment[2 * count + 1 : 2 * count + 3]
        bits = segment[2 * count + 3] & 15
    for component in segment[1 : 2 * count + 1 : 2]:
        if component in wanted and last <= _LAST_COEFFICIENT:
            wanted[component][first : last + 1] = [bits] * (last + 1 - first)
