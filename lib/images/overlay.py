"""Whether two small grey pictures are one: the one is laid over the other, moved and stretched.

Then the details that both show are compared: what is lighter or darker than the pixels around it.
So a picture is known again of which a part is cut off, at any side; and products that are
photographed alike, which agree in their ground and their outlines, are told apart.
"""

from typing import Any

import numpy as np

SIDE_PX = 32
# correlations of details of what is one picture; the other where what a badge covers is left out
ONE, ONE_BUT_BADGE = 0.9, 0.95
MAYBE = 0.88  # of half the pixels, without a badge: below it, all of them need not be compared
BADGE = 0.03  # of the pixels: a badge covers the most unlike
AROUND = 2  # pixels on each side that a detail differs from
LEAST_SHOWN = 0.5  # of each picture that is seen on the other
SHORTEST, LONGEST, FARTHEST = 0.7, 1.43, 0.4  # of a window, in sides
STRIDE = 1.5  # pixels that a window moves or grows in a step at most
STEPS, LAST_STEPS = 4, 3  # at half the pixels, and then at all of them

Floats = np.ndarray[Any, np.dtype[np.float32]]
Octets = np.ndarray[Any, np.dtype[np.uint8]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


def are_one(one: Octets, other: Octets) -> Bools:
    """Say of pairs of pictures whether they are one, bool [n].

    Args:
        one: uint8 [n, `SIDE_PX`, `SIDE_PX`].
        other: the same.
    """
    first, second = one.astype(np.float32), other.astype(np.float32)
    # windows of `one` that `other` shows: top, height, left, width, in sides
    still = np.tile(np.array([0, 1, 0, 1], np.float32), (len(one), 1))
    moved, halves = still, (_halved(first), _halved(second))
    for _ in range(STEPS):
        moved = _moved(moved, *halves)
    (_, as_it_is), (_, then) = (_agreement(each, *halves) for each in (still, moved))
    windows = np.where((then > as_it_is)[:, None], moved, still)
    found = np.zeros(len(one), np.bool_)
    unsure = np.flatnonzero(np.maximum(as_it_is, then) >= MAYBE)
    for steps in (0, LAST_STEPS):
        if len(unsure):
            mine, theirs, some = first[unsure], second[unsure], windows[unsure]
            for _ in range(steps):
                some = _moved(some, mine, theirs)
            whole, without = _agreement(some, mine, theirs)
            found[unsure] = (whole >= ONE) | (without >= ONE_BUT_BADGE)
            unsure = unsure[~found[unsure]]
    return found


def _halved(pictures: Floats) -> Floats:
    half = (pictures[:, ::2] + pictures[:, 1::2]) / 2
    return np.asarray((half[:, :, ::2] + half[:, :, 1::2]) / 2, np.float32)


def _agreement(windows: Floats, one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return how details correlate, [n]: all that are shown, and without what a badge covers."""
    laid, shown = _laid(windows, one)
    share = shown.mean(axis=(1, 2))
    enough = np.minimum(share, share * windows[:, 1] * windows[:, 3]) >= LEAST_SHOWN
    mine, theirs = _details(laid), _details(other)
    whole, unlike = _compared(mine, theirs, shown)
    covered = unlike > np.quantile(unlike, 1 - BADGE, axis=(1, 2), keepdims=True)
    without, _ = _compared(mine, theirs, shown * ~covered)
    return np.where(enough, whole, -1), np.where(enough, without, -1)


def _laid(windows: Floats, pictures: Floats) -> tuple[Floats, Floats]:
    """Return what windows of pictures show, and 1 where it is of the picture, else 0."""
    rows, within_rows = _weights(windows[:, 0], windows[:, 1], pictures.shape[1])
    columns, within_columns = _weights(windows[:, 2], windows[:, 3], pictures.shape[1])
    laid = np.asarray(rows @ pictures @ columns.transpose(0, 2, 1), np.float32)
    return laid, within_rows[:, :, None] * within_columns[:, None]


def _weights(start: Floats, length: Floats, side: int) -> tuple[Floats, Floats]:
    """Return of which pixels each pixel of a window is made, [n, side, side], and if of any."""
    at = (start[:, None] + _middles(side) * length[:, None]) * side - 0.5
    within = np.abs(at - (side - 1) / 2) <= side / 2
    apart = np.abs(np.clip(at, 0, side - 1)[..., None] - np.arange(side, dtype=np.float32))
    return np.maximum(1 - apart, 0), within.astype(np.float32)


def _middles(side: int) -> Floats:
    """Return where the middles of pixels lie, in sides."""
    return np.asarray((np.arange(side) + 0.5) / side, np.float32)


def _details(pictures: Floats) -> Floats:
    """Return how much lighter each pixel is than the mean of those around it."""
    side, width = pictures.shape[1], 2 * AROUND + 1
    rows = np.arange(side)[:, None] + np.arange(-AROUND, AROUND + 1)
    near = np.zeros((side, side), np.float32)
    np.add.at(near, (np.arange(side)[:, None], np.clip(rows, 0, side - 1)), 1 / width)
    return np.asarray(pictures - near @ pictures @ near.T, np.float32)


def _compared(laid: Floats, other: Floats, shown: Floats) -> tuple[Floats, Floats]:
    """Return the correlation of what is shown, [n], and how unlike each pixel is."""
    mine, theirs = _centred(laid, shown), _centred(other, shown)
    both, size = (mine * theirs).sum(axis=(1, 2)), (mine * mine).sum(axis=(1, 2))
    lengths = np.sqrt(size * (theirs * theirs).sum(axis=(1, 2)))
    contrast = both / np.maximum(size, 1)
    return both / np.maximum(lengths, 1), np.abs(theirs - contrast[:, None, None] * mine)


def _centred(pictures: Floats, shown: Floats) -> Floats:
    count = np.maximum(shown.sum(axis=(1, 2), keepdims=True), 1)
    mean = (pictures * shown).sum(axis=(1, 2), keepdims=True) / count
    return np.asarray((pictures - mean) * shown, np.float32)


def _moved(windows: Floats, one: Floats, other: Floats) -> Floats:
    """Move windows to where they show more of what the other pictures do: one Gauss-Newton step."""
    side = one.shape[1]
    laid, shown = _laid(windows, one)
    mine, theirs = _centred(laid, shown), _centred(other, shown)
    down, right = np.gradient(mine, 1 / side, axis=(1, 2))
    off = _middles(side) - 0.5  # growing moves what is off the middle
    # what a pixel gains where the window moves or grows, and where contrast does
    slopes = np.stack([down, down * off[:, None], right, right * off, mine], axis=1)
    slopes = (slopes * shown[:, None]).reshape(len(one), 5, -1)
    square = slopes @ slopes.transpose(0, 2, 1)
    # where nothing is to be seen, any step would do: take a small one
    calm = 1e-4 * (np.trace(square, axis1=1, axis2=2) / 5 + 1)
    square += calm[:, None, None] * np.eye(5, dtype=np.float32)
    found = np.linalg.solve(square, slopes @ theirs.reshape(len(one), -1, 1))[..., 0]
    step = np.clip(found[:, :4] / np.maximum(found[:, 4:], 0.2), -STRIDE / side, STRIDE / side)
    starts, lengths, moves, growths = windows[:, ::2], windows[:, 1::2], step[:, ::2], step[:, 1::2]
    starts = np.clip(starts + lengths * (moves - growths / 2), -FARTHEST, FARTHEST)
    lengths = np.clip(lengths * (1 + growths), SHORTEST, LONGEST)
    return np.stack([starts, lengths], axis=2).reshape(-1, 4).astype(np.float32)
