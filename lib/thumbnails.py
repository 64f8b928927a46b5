"""Small pictures for reports."""

from collections.abc import Sequence

import torchvision.io

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
    prepared = Preparer(shown, reading, storage).stream(uris)
    return [
        None
        if each.pixels is None
        else torchvision.io.encode_jpeg(each.pixels, QUALITY).numpy().tobytes()
        for each in prepared
    ]
