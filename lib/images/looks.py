"""What a picture looks like: whether a shop has altered the one to get the other.

A hash is of the kind that pHash made known: the lowest frequencies of a small grey picture, each
above the median or below it. A picture has one of all of it and one of what lies within a plain
border, and of both as a mirror shows them. Hashes of other products that are photographed alike
may differ in as few bits as those of a picture and its copy: so where they are near, the small
pictures are laid over each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from lib.images.overlay import SIDE_PX, Bools, Floats, Octets, are_one

# of 64 bits that two near-copies differ in at most; and where their embeddings are more alike,
# which is what a copy is with a part cut off
MOST_BITS, MORE_BITS = 10, 28
MORE_ALIKE = 0.8  # cosine
LOWEST = 8
SMALL_PX = 160
PLAIN = 24  # lightness that differs no more along a whole side is a border
ROUNDS = 3  # a border may lie around another
LEAST_PX = 16  # of what is left
AT_ONCE = 64  # pairs whose pixels stay in the processor's memory
# of hashes: which of two small pictures each is of, and whether as a mirror shows it
PARTS, MIRRORED = np.array([0, 0, 1, 1]), np.array([False, True, False, True])

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What a picture looks like, or, with an axis before the others, each of some pictures.

    Attributes:
        hashes: uint64 [4]: whole, mirrored; within a border, mirrored.
        greys: uint8 [2, `SIDE_PX`, `SIDE_PX`]: whole; within a border.
    """

    hashes: Hashes
    greys: Octets


def looks_of(picture: Image.Image) -> Looks:
    """Return what a picture looks like."""
    grey = picture.convert("L")
    grey.thumbnail((SMALL_PX, SMALL_PX))
    pixels = np.asarray(grey)
    mirror = np.where(np.arange(LOWEST) % 2, -1.0, 1.0)  # turns what is odd from left to right
    greys = np.stack([_small(each) for each in (pixels, _within_border(pixels))])
    hashes = [_hash(low * turn) for low in map(_low, greys) for turn in (1.0, mirror)]
    return Looks(hashes=np.concatenate(hashes), greys=greys)


def stacked(looks: Sequence[Looks | None]) -> Looks:
    """Put the looks of m pictures together; where they are None, nothing looks like them."""
    hashes = np.zeros((len(looks), len(PARTS)), np.uint64)
    greys = np.zeros((len(looks), 2, SIDE_PX, SIDE_PX), np.uint8)
    for row, each in enumerate(looks):
        if each is not None:
            hashes[row], greys[row] = each.hashes, each.greys
    return Looks(hashes=hashes, greys=greys)


def look_alike(looks: Looks, one: Ints, other: Ints, cosine: Floats) -> Bools:
    """Say which pairs of pictures are near-copies by their looks, bool [n].

    Args:
        looks: of m pictures.
        one: int64 [n], the first picture of each pair.
        other: int64 [n], the second.
        cosine: float32 [n], of their embeddings.
    """
    most = np.where(cosine >= MORE_ALIKE, MORE_BITS, MOST_BITS)
    # one of two mirrors will do
    differing = np.bitwise_count(looks.hashes[one][:, [0, 0, 2, 2]] ^ looks.hashes[other])
    near_enough = differing <= most[:, None]
    near_enough[:, 0] |= cosine >= MORE_ALIKE  # hashes say little where one corner is cut off
    pairs, ways = np.nonzero(near_enough)
    near = np.zeros(len(one), np.bool_)
    for start in range(0, len(pairs), AT_ONCE):
        some, way = pairs[start : start + AT_ONCE], ways[start : start + AT_ONCE]
        mine, theirs = (looks.greys[side[some], PARTS[way]] for side in (one, other))
        theirs = np.where(MIRRORED[way][:, None, None], theirs[:, :, ::-1], theirs)
        near[some[are_one(mine, theirs)]] = True
    return near


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


def _small(pixels: Octets) -> Octets:
    small = Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _low(small: Octets) -> Doubles:
    """Return the lowest frequencies, float64 [`LOWEST`, `LOWEST`]: a discrete cosine transform."""
    steps = np.pi * np.outer(np.arange(LOWEST), 2 * np.arange(SIDE_PX) + 1) / (2 * SIDE_PX)
    waves = np.cos(steps)
    waves[0] /= 2**0.5
    low: Doubles = waves @ small.astype(np.float64) @ waves.T
    return low


def _hash(low: Doubles) -> Hashes:
    values = low.ravel()
    # the first is the mean brightness, which a copy may have changed
    return np.packbits(values > np.median(values[1:])).view(np.uint64)
