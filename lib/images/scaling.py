"""How much smaller than it is a JPEG file may be decoded for a model, and look the same."""

from typing import Final

from lib.images.preprocessing import Preprocessing

# libjpeg-turbo's other scales, as 3/8, are slower than the next larger of these
_DIVISORS: Final = (8, 4, 2)
_MARGIN: Final = 2


def divisor_of(width: int, height: int, preprocessing: Preprocessing) -> int:
    """Return by how much the sides of a picture may be divided as it is decoded: 1, 2, 4 or 8.

    With `scaled-2x`, what becomes the model's input keeps at least twice its pixels in each
    direction: `crop` takes the shorter side, `pad` the longer one, and `squash` both. The input is
    a square, so that a picture on its side needs no more and no less.

    Args:
        width: of the whole picture, in pixels.
        height: the same.
        preprocessing: what the picture is decoded for.
    """
    if preprocessing.decode == "full":
        return 1
    side = max(width, height) if preprocessing.fit == "pad" else min(width, height)
    least = _MARGIN * preprocessing.size_px
    return next((divisor for divisor in _DIVISORS if side >= divisor * least), 1)
