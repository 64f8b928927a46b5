"""Small pictures for reports."""

import io
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from lib.prepare import Preparer, ReadingConfig
from lib.preprocessing import Preprocessing
from lib.storage import StorageConfig

SIDE_PX = 160
QUALITY = 80


def read_thumbnails(
    uris: Sequence[str], reading: ReadingConfig, storage: StorageConfig
) -> list[bytes | None]:
    """Read images and give each as a small JPEG; None where it cannot be shown."""
    shown = Preprocessing(size_px=SIDE_PX, fit="pad", mean=(0, 0, 0), std=(1, 1, 1))
    prepared = Preparer(shown, reading, storage).stream(uris, [None] * len(uris))
    return [None if each.pixels is None else _to_jpeg(each.pixels) for each in prepared]


def _to_jpeg(pixels: Tensor) -> bytes:
    # torchvision's own encoder is deprecated
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
