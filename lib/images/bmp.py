"""BMP files with masks of any width and place become such as every decoder reads."""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BITFIELDS: Final = (3, 6)  # without and with a mask of alpha after a header of 40 bytes
_INFO: Final = struct.Struct("<IiiHHIIiiIIIIII")  # a header of 40 bytes and what follows it
# Pillow's own results for these stay as they are
_READ: Final = ((0x1F, 0x7E0, 0xF800), (0x1F, 0x3E0, 0x7C00), (0, 0, 0))
_MASKED: Final = {16: "<u2", 32: "<u4"}


def with_plain_pixels(data: bytes) -> bytes:
    """Return a BMP file of 16 or 32 bits with masks as one with bytes for blue, green and red.

    Transparency is kept where the file has a mask for it. Any other file stays as it is.
    """
    if len(data) < 14 + _INFO.size:
        return data
    header, width, height, _, bits, kind, *_, red, green, blue, alpha = _INFO.unpack_from(data, 14)
    if kind not in _BITFIELDS or bits not in _MASKED or header < 40 or width <= 0:
        return data
    if (blue, green, red) in _READ:
        return data
    if header < 56 and kind == _BITFIELDS[0]:
        alpha = 0
    masks = [blue, green, red, alpha]
    stride = (width * bits + 31) // 32 * 4
    start = int.from_bytes(data[10:14], "little")
    rows = abs(height)
    if len(data) - start < rows * stride or not all(map(_is_one_run, masks)):
        return data  # what is cut short is not for here to say
    words = np.frombuffer(data, _MASKED[bits], rows * stride * 8 // bits, start)
    words = words.reshape(rows, -1)[:, :width]
    planes = [_eight_bits(words, mask) for mask in masks]
    if not alpha:
        planes[3] = np.full_like(planes[0], 255)
    pixels = np.stack(planes, axis=-1).tobytes()
    masks_of_bytes = (0xFF0000, 0xFF00, 0xFF, 0xFF000000 if alpha else 0)
    info = _INFO.pack(108, width, height, 1, 32, 3, len(pixels), 0, 0, 0, 0, *masks_of_bytes).ljust(
        108, b"\0"
    )
    front = 14 + len(info)
    return struct.pack("<2sIII", b"BM", front + len(pixels), 0, front) + info + pixels


def _is_one_run(mask: int) -> bool:
    low = mask & -mask
    return (mask + low) & mask == 0


def _eight_bits(words: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8]:
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    values = (words & words.dtype.type(mask)) >> words.dtype.type(shift)
    scaled: NDArray[np.uint8] = (values * (255 / most)).round().astype(np.uint8)
    return scaled
