"""Decoded photos, kept on this machine: the next training that is shown them decodes none again."""

import contextlib
import hashlib
import logging
import os
import shutil
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from lib.hashing import digest_bytes, digest_json
from lib.images.config import ReadingConfig
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer
from lib.images.preprocessing import Preprocessing
from lib.reasons import ItemError
from lib.storage.allowlist import check_store
from lib.storage.config import StorageConfig
from lib.storage.file_names import check_name
from lib.storage.local import appearing
from lib.storage.user_cache import cache_folder, make_room

MOST_BYTES = 8 * 2**30
DIGEST_BYTES = hashlib.sha256().digest_size
DECODERS = ("pillow", "pillow-heif", "simplejpeg", "torch")  # beside our own code
LOGGER = logging.getLogger(__name__)


class CachingPreparer(Preparer):
    """A preparer that decodes an image once per version, machine and preprocessing.

    The pixels of an image are a file of the person's cache folder, named by the sha256 of all that
    they depend on. It begins with the sha256 of this name and the pixels: one that is damaged, or
    another's, is made again. An item without an etag is not kept, nor one that has no pixels.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        config: ReadingConfig,
        storage: StorageConfig,
        workers: int,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Make the threads and the connections.

        Args:
            preprocessing: what images become.
            config: how they are read.
            storage: how to reach them.
            workers: that share the folder. Each has its part of the room and keeps what it reads
                first: were all of a larger catalog kept, the last would push out the first.
            most_bytes: of the folder; what was used longest ago goes first.
        """
        super().__init__(preprocessing, config, storage)
        self._shape = (3, preprocessing.size_px, preprocessing.size_px)
        self._made_by = _made_by(preprocessing, config, storage)
        self._folder, self._most_bytes = cache_folder("pixels"), most_bytes
        self._lock = threading.Lock()
        self._left_bytes = most_bytes // workers
        self._unchecked_bytes = most_bytes  # the first file makes room as well
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # the rest of the disk is for others
            free_bytes = shutil.disk_usage(self._folder).free // 4
            self._left_bytes = min(self._left_bytes, free_bytes)
        except OSError as error:
            self._give_up(error)

    def prepare(self, uri: str, etag: str | None) -> Prepared:
        """Prepare one item as `Preparer` does; its pixels may be kept ones."""
        if not etag:
            return super().prepare(uri, etag)
        try:  # kept pixels as well come from the allowed stores alone
            check_name(uri)
            check_store(uri, self.config.stores)
        except ItemError as error:
            return Prepared(error=error)
        path = self._folder / digest_json([uri, etag, self._made_by])
        pixels = self._read(path)
        if pixels is not None:
            self._take_room(pixels)
            return Prepared(pixels=pixels)
        prepared = super().prepare(uri, etag)
        if prepared.pixels is not None and self._take_room(prepared.pixels):
            self._keep(path, prepared.pixels)
        return prepared

    def _read(self, path: Path) -> Pixels | None:
        try:
            found = np.fromfile(path, np.uint8)
            os.utime(path)
        except OSError:
            return None
        digest, pixels = found[:DIGEST_BYTES].tobytes(), found[DIGEST_BYTES:]
        if pixels.size != np.prod(self._shape) or digest != _digest(path, pixels.data):
            return None
        return pixels.reshape(self._shape)

    def _take_room(self, pixels: Pixels) -> bool:
        with self._lock:
            self._left_bytes -= pixels.size
            return self._left_bytes >= 0

    def _keep(self, path: Path, pixels: Pixels) -> None:
        data = pixels.reshape(-1).data
        try:
            with appearing(path, synced=False) as temporary, temporary.open("wb") as file:
                file.write(_digest(path, data))
                file.write(data)
            with self._lock:
                self._unchecked_bytes += len(data)
                look = self._unchecked_bytes > self._most_bytes // 32
                if look:
                    self._unchecked_bytes = 0
            if look:
                make_room(self._folder, self._most_bytes)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        LOGGER.warning("decoded photos are no longer kept in %s: %s", self._folder, error)
        self._left_bytes = 0


def _digest(path: Path, pixels: memoryview) -> bytes:
    digest = hashlib.sha256(path.name.encode())
    digest.update(pixels)
    return digest.digest()


def _made_by(preprocessing: Preprocessing, config: ReadingConfig, storage: StorageConfig) -> str:
    """Name all that an image's pixels, or that it has any, depend on beside its own bytes."""
    versions = {}
    for name in DECODERS:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    sources = sorted((Path(__file__).parents[1] / "images").glob("*.py"))
    return digest_json(
        {
            "preprocessing": preprocessing.digest,
            "limits": [config.max_image_pixels, config.max_image_bytes],
            "endpoint": storage.s3_endpoint,
            "versions": versions,
            "code": [digest_bytes(path.read_bytes()) for path in sources],
        }
    )
