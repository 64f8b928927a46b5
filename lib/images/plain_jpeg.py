"""JPEG files so plain that every decoder makes the same picture of them."""

from functools import partial
from itertools import islice
from typing import Final

import numpy as np
from PIL.ImageFile import ImageFile

from lib.images.formats import DecodeLimits, orientation_of, read_image
from lib.images.jpeg import END, FRAMES, RESTART_INTERVAL, SCAN, SEGMENTS_MOST, SEQUENTIAL, segments
from lib.images.profiles import is_srgb
from lib.reasons import ItemError

MOST_BYTES: Final = 4 * 2**20  # of a file: some hundred of them wait at once
_COMPONENTS: Final = b"\1\2\3"
_SAMPLINGS: Final = (b"\x11\x11\x11", b"\x21\x11\x11", b"\x22\x11\x11")  # 4:4:4, 4:2:2, 4:2:0
_WHOLE_BLOCKS: Final = b"\0\x3f\0"  # that a scan holds: each coefficient, and all of its bits
_HOLE: Final = bytes(512)  # as a disk leaves one; a flat picture may look like that, too
_BLOCK_PX: Final = 8


def plain_pixels(data: bytes, limits: DecodeLimits, size_px: int) -> int:
    """Return how many pixels a file has if it is plain, and 0 if only libjpeg should judge it.

    Plain is a photo in one sequential scan of three components with usual sampling, in sRGB,
    upright, and neither smaller than the model's input nor above the limits. What its scan holds
    is not decoded here: only marks that are no part of it, and holes, tell that it is damaged.

    Args:
        data: the file.
        limits: of the picture and the file.
        size_px: a side of the model's input.
    """
    if len(data) > MOST_BYTES or not data.endswith(END):
        return 0
    try:
        return read_image(data, limits, partial(_plain_pixels, size_px=size_px))
    except ItemError:
        return 0


def _plain_pixels(image: ImageFile, data: bytes, *, size_px: int) -> int:
    width, height = image.size
    profile = image.info.get("icc_profile")
    plain = (
        (image.format, image.mode) == ("JPEG", "RGB")
        and min(width, height) >= size_px
        and image.info.get("adobe_transform", 1) == 1
        and (not profile or is_srgb(profile, image.mode))
        and orientation_of(image) == 1
        and _is_whole(data)
    )
    return width * height if plain else 0


def _is_whole(data: bytes) -> bool:
    """Say whether a file has one usual frame and one scan to its end, and nothing between."""
    frame, interval, expected = b"", 0, 2
    for start, marker, segment in islice(segments(data), SEGMENTS_MOST):
        if start != expected or (marker in FRAMES and (frame or marker not in SEQUENTIAL)):
            return False
        expected = start + 4 + len(segment)
        if marker in FRAMES:
            frame = segment
        elif marker == RESTART_INTERVAL:
            interval = int.from_bytes(segment[:2])
        elif marker == SCAN:
            of_all = segment == b"\3" + segment[1:7] + _WHOLE_BLOCKS
            usual = of_all and segment[1:7:2] == _COMPONENTS and _is_usual(frame)
            return usual and _has_its_marks(data, expected, frame, interval)
    return False


def _is_usual(frame: bytes) -> bool:
    return (
        len(frame) == 6 + 3 * len(_COMPONENTS)
        and frame[0] == 8  # bits of a sample
        and frame[6::3] == _COMPONENTS
        and frame[7::3] in _SAMPLINGS
    )


def _has_its_marks(data: bytes, scan: int, frame: bytes, interval: int) -> bool:
    """Say whether a scan that begins there has all of its restarts, no other mark, and no hole."""
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    across, down = frame[7] >> 4, frame[7] & 15
    groups = -(-width // (_BLOCK_PX * across)) * -(-height // (_BLOCK_PX * down))
    restarts = (groups - 1) // interval if interval else 0
    octets = np.frombuffer(data, np.uint8, offset=scan)
    after = octets[1:][octets[:-1] == END[0]]
    marks = after[after != 0]  # a zero says that the octet before it is no mark
    wanted = [*(0xD0 + np.arange(restarts) % 8), END[1]]
    return np.array_equal(marks, wanted) and data.find(_HOLE, scan) < 0
