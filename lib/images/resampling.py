"""Bilinear resampling of bytes, with antialiasing: one arithmetic, by torch's kernel or without it.

Weights are whole numbers of 16 bits and sums are exact, as in torch's kernel for uint8
(`aten/src/ATen/native/cpu/UpSampleKernelAVXAntialias.h`, after Pillow-SIMD), so both give the same
bytes. Torch's takes a third of a millisecond for a photo, and seconds to import.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from lib.images.jpeg import Pixels

Resample = Callable[[Pixels, int, int], Pixels]

_OUTPUTS: Final = 16  # that are made by one product: few, so that it has few zeros
_MOST_BITS: Final = 22
_INT16: Final = 1 << 15
_FLOAT32_BITS: Final = 16  # so that 255 times all weights stay below 2 ** 24

Weights = np.ndarray[Any, np.dtype[np.floating[Any]]]
Places = np.ndarray[Any, np.dtype[np.int64]]


def by_torch(image: Pixels, height: int, width: int) -> Pixels:
    """Resample uint8 [3, h, w] to [3, height, width]; for many images."""
    import torch  # noqa: PLC0415  # takes seconds
    from torch.nn.functional import interpolate  # noqa: PLC0415  # as above

    # what torchvision.transforms.v2.functional.resize does, without its import of two seconds
    scaled = interpolate(
        torch.from_numpy(image)[None],
        (height, width),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    found: Pixels = scaled[0].contiguous().numpy()
    return found


def by_products(image: Pixels, height: int, width: int) -> Pixels:
    """Resample uint8 [3, h, w] to [3, height, width]; for a few images, without torch."""
    across = _along_rows(image, width)
    return np.ascontiguousarray(_along_rows(across.swapaxes(1, 2), height).swapaxes(1, 2))


def _along_rows(image: Pixels, size: int) -> Pixels:
    """Resample uint8 [3, rows, n] to [3, rows, size]."""
    if image.shape[2] == size:
        return image
    first, weights = _weights(image.shape[2], size)
    bits = _bits(weights.max())
    # of numbers that are whole and small enough for the kind, so nothing is rounded
    kind = np.float32 if bits <= _FLOAT32_BITS else np.float64
    whole = np.floor(weights * (1 << bits) + 0.5).astype(kind)
    half, unit = kind((1 << bits) // 2), kind(2.0**-bits)
    given = np.ascontiguousarray(image).reshape(-1, image.shape[2])
    found = np.empty((len(given), size), np.uint8)
    for start in range(0, size, _OUTPUTS):
        outputs = slice(start, start + _OUTPUTS)
        low, product = _as_matrix(first[outputs], whole[outputs])
        taken: Weights = given[:, low : low + len(product)].astype(kind)
        sums = taken @ product[: taken.shape[1]]
        sums += half
        sums *= unit
        np.minimum(sums, 255, out=sums)
        found[:, outputs] = sums  # cut to whole numbers
    return found.reshape(*image.shape[:2], size)


def _weights(before: int, after: int) -> tuple[Places, Weights]:
    """Return the first place that each output is made of, [after], and weights, [after, places]."""
    scale = before / after
    reach = max(scale, 1.0)
    centre = scale * (np.arange(after) + 0.5)
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + reach + 0.5).astype(np.int64), before) - first
    places = np.arange(count.max())
    distance = places + first[:, np.newaxis] - centre[:, np.newaxis] + 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(distance * (1 / reach)))
    weights[places >= count[:, np.newaxis]] = 0
    # added one by one, as torch does: where a weight lies between two numbers, the last bit counts
    return first, weights / np.cumsum(weights, axis=1)[:, -1:]


def _bits(largest: float) -> int:
    """Return by how many bits weights are shifted, so that the largest fits 16."""
    fitting = (n for n in range(_MOST_BITS) if int(0.5 + largest * (1 << n + 1)) >= _INT16)
    return next(fitting, _MOST_BITS)


def _as_matrix(first: Places, weights: Weights) -> tuple[int, Weights]:
    """Return the lowest place, and from there on weights, [places, outputs]; 0 beyond the last."""
    low = int(first[0])
    rows = weights.shape[1] + int(first[-1]) - low
    product = np.zeros((rows, len(first)), weights.dtype)
    for output, start in enumerate(first - low):
        product[start : start + weights.shape[1], output] = weights[output]
    return low, product
