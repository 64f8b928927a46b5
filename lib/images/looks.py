"""What a picture looks like, in a few bits: copies that a shop has altered differ in few.

A hash is of the kind that pHash made known: the lowest frequencies of a small grey picture, each
above the median or below it. A picture has one of all of it and one of what lies within a plain
border, and of both as a mirror shows them.
"""

from typing import Any

import numpy as np
from PIL import Image

MOST_BITS = 10  # of 64 that two near-copies differ in at most
SIDE_PX, LOWEST = 32, 8
SMALL_PX = 160
PLAIN = 24  # lightness that differs no more along a whole side is a border
ROUNDS = 3  # a border may lie around another
LEAST_PX = 16  # of what is left

Looks = np.ndarray[Any, np.dtype[np.uint64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]
Octets = np.ndarray[Any, np.dtype[np.uint8]]


def looks_of(picture: Image.Image) -> Looks:
    """Return what a picture looks like, uint64 [4]: whole, mirrored; within a border, mirrored."""
    grey = picture.convert("L")
    grey.thumbnail((SMALL_PX, SMALL_PX))
    pixels = np.asarray(grey)
    mirror = np.where(np.arange(LOWEST) % 2, -1.0, 1.0)  # turns what is odd from left to right
    lows = [_low(each) for each in (pixels, _within_border(pixels))]
    return np.concatenate([_hash(low * turn) for low in lows for turn in (1.0, mirror)])


def differing(one: Looks, other: Looks) -> Ints:
    """Return in how many of 64 bits pictures differ, where they are most alike.

    Args:
        one: uint64 [..., 4].
        other: the same.
    """
    mine = one[..., [0, 0, 2, 2]]  # one of two mirrors will do
    return np.asarray(np.bitwise_count(mine ^ other).min(axis=-1), np.int64)


def _within_border(pixels: Octets) -> Octets:
    """Cut off rows and columns at the sides that are of one lightness each."""
    found = pixels
    for axis in (0, 1) * ROUNDS:
        lively = np.flatnonzero(np.ptp(found, axis=axis) > PLAIN)
        if not len(lively):
            return pixels
        first, last, count = lively[0], lively[-1] + 1, found.shape[1 - axis]
        # scaling has mixed a border's last row with the picture
        inside = slice(first + (first > 0), last - (last < count))
        found = found[inside] if axis else found[:, inside]
        if min(found.shape) < LEAST_PX:
            return pixels
    return found


def _low(pixels: Octets) -> Doubles:
    """Return the lowest frequencies, float64 [`LOWEST`, `LOWEST`]: a discrete cosine transform."""
    small = Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    steps = np.pi * np.outer(np.arange(LOWEST), 2 * np.arange(SIDE_PX) + 1) / (2 * SIDE_PX)
    waves = np.cos(steps)
    waves[0] /= 2**0.5
    low: Doubles = waves @ np.asarray(small, np.float64) @ waves.T
    return low


def _hash(low: Doubles) -> Looks:
    values = low.ravel()
    # the first is the mean brightness, which a copy may have changed
    return np.packbits(values > np.median(values[1:])).view(np.uint64)
