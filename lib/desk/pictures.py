"""Pictures of items, small ones and large ones: made once per image, and kept on disk."""

import contextlib
import hashlib
import threading
from pathlib import Path

from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.images.memory_limit import allowance
from lib.images.nursery import Nursery, Task
from lib.images.small_jpeg import ToJpeg
from lib.storage.config import StorageConfig
from lib.storage.local import appearing
from lib.storage.retries import Retries

SMALL_PX, LARGE_PX = 240, 1200


class Pictures:
    """Makes JPEGs of items' images, in a process of their own that an image may kill."""

    def __init__(self, reading: ReadingConfig, storage: StorageConfig, folder: Path) -> None:
        """Keep where pictures lie; processes start with the first picture of each size.

        Args:
            reading: limits of images, and the stores that they may come from.
            storage: how to reach them.
            folder: for the pictures.
        """
        self._reading, self._folder = reading, folder
        self._fetcher = Fetcher(storage, Retries(reading.max_retries), reading)
        self._nurseries: dict[int, Nursery] = {}
        self._lock = threading.Lock()

    def of_item(self, uri: str, etag: str | None, side_px: int) -> bytes:
        """Return the picture of an item's image, at most so many pixels high and wide.

        Raises:
            ItemError: the image cannot be read, or is another by now.
        """
        if kept := self.kept(uri, etag, side_px):
            return kept
        jpeg = self.of_bytes(self._fetcher.fetch(uri, etag), side_px)
        with appearing(self._path(uri, etag, side_px)) as temporary:
            temporary.write_bytes(jpeg)
        return jpeg

    def kept(self, uri: str, etag: str | None, side_px: int) -> bytes | None:
        """Return a picture that was made before, or None."""
        with contextlib.suppress(OSError):
            return self._path(uri, etag, side_px).read_bytes()
        return None

    def of_bytes(self, data: bytes, side_px: int) -> bytes:
        """Return the picture of a file's bytes.

        Raises:
            ItemError: it is no image, or one beyond the limits.
        """
        with self._lock:  # a nursery has one child
            nursery = self._nurseries.get(side_px) or self._start(side_px)
            jpeg: bytes = nursery.work(data)
        return jpeg

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            for nursery in self._nurseries.values():
                nursery.close()
            self._nurseries.clear()

    def _path(self, uri: str, etag: str | None, side_px: int) -> Path:
        name = hashlib.sha256(f"{uri}\n{etag}\n{side_px}".encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.jpg"

    def _start(self, side_px: int) -> Nursery:
        limits, timeout_s = self._reading.limits, self._reading.timeout_s
        task = Task(work=ToJpeg(limits, side_px), memory=allowance(limits), timeout_s=timeout_s)
        self._nurseries[side_px] = Nursery(task)
        return self._nurseries[side_px]
