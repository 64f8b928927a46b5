"""Small pictures for reports."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.images.formats import DecodeLimits, read_image
from lib.images.memory_limit import allowance
from lib.images.nursery import Nursery, Task, fetch_ahead
from lib.images.painted import paint
from lib.reasons import ItemError
from lib.storage.config import StorageConfig
from lib.storage.retries import Retries

SIDE_PX = 160
QUALITY = 80
AHEAD = 4  # files in memory: the report is made where the job runs, beside much else
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_thumbnails(
    uris: Sequence[str], reading: ReadingConfig, storage: StorageConfig, *, square: bool = True
) -> list[bytes | None]:
    """Read images and return each as a small JPEG; None where it cannot be shown.

    One at a time is decoded, in a process that it may kill.

    Args:
        uris: of the images.
        reading: how they are read.
        storage: of the stores.
        square: whether the rest of a square is filled with white.

    Raises:
        ReshelveError: that process cannot be started, or is killed again and again.
    """
    if not uris:
        return []
    fetcher = Fetcher(storage, Retries(reading.max_retries), reading)

    def fetch(uri: str) -> bytes | None:
        with contextlib.suppress(ItemError):
            return fetcher.fetch(uri)
        return None

    limits = reading.limits
    task = Task(
        work=ToJpeg(limits, square=square), memory=allowance(limits), timeout_s=reading.timeout_s
    )
    with contextlib.closing(Nursery(task)) as nursery:
        return [
            None if data is None else _show(data, nursery)
            for data in fetch_ahead(fetch, uris, min(reading.threads, AHEAD))
        ]


def _show(data: bytes, nursery: Nursery) -> bytes | None:
    with contextlib.suppress(ItemError):
        jpeg: bytes = nursery.work(data)
        return jpeg
    return None


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
