"""Small pictures for reports."""

import contextlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from lib.images.colours import to_rgb
from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.images.formats import orientation_of, read_image
from lib.reasons import ItemError
from lib.storage.config import StorageConfig
from lib.storage.retries import Retries

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


def read_thumbnails(
    uris: Sequence[str], reading: ReadingConfig, storage: StorageConfig
) -> list[bytes | None]:
    """Read images and return each as a small square JPEG; None where it cannot be shown."""
    fetcher = Fetcher(storage, Retries(reading.max_retries), reading)

    def read(uri: str) -> bytes | None:
        with contextlib.suppress(ItemError):
            return read_image(fetcher.fetch(uri), reading.limits, _to_jpeg)
        return None

    with ThreadPoolExecutor(reading.threads) as pool:
        return list(pool.map(read, uris))


def _to_jpeg(image: ImageFile, _data: bytes) -> bytes:
    image.draft(None, (2 * SIDE_PX, 2 * SIDE_PX))  # a JPEG is decoded at a fraction of its size
    image.load()
    turn = TURNS.get(orientation_of(image))
    picture = to_rgb(image)
    picture = picture.transpose(turn) if turn is not None else picture
    file = io.BytesIO()
    square = ImageOps.pad(picture, (SIDE_PX, SIDE_PX), color="white")
    square.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
