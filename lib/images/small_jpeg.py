"""One picture made small; a process that does nothing else loads little for it."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from lib.images.formats import DecodeLimits, read_image
from lib.images.painted import paint

SIDE_PX = 160
QUALITY = 80
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ToJpeg:
    """Makes a small JPEG of a file's bytes.

    Attributes:
        limits: of the file.
        side_px: the most pixels of height and width.
        square: whether the rest of a square is filled with white.
    """

    limits: DecodeLimits
    side_px: int = SIDE_PX
    square: bool = False

    def __call__(self, data: bytes) -> bytes:
        """Return the JPEG.

        Raises:
            ItemError: the file is no image, or one beyond the limits.
        """
        return read_image(data, self.limits, self._to_jpeg)

    def _to_jpeg(self, image: ImageFile, data: bytes) -> bytes:
        pixels, orientation = paint(image, data)
        small = Image.fromarray(pixels)
        small.thumbnail((self.side_px, self.side_px))  # turned only then: it takes less memory
        turn = TURNS.get(orientation)
        small = small.transpose(turn) if turn is not None else small
        if self.square:
            small = ImageOps.pad(small, (self.side_px, self.side_px), color="white")
        file = io.BytesIO()
        small.save(file, "JPEG", quality=QUALITY)
        return file.getvalue()
