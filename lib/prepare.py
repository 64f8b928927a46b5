"""From an item's URI to the pixels the model sees, for training and inference alike."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import Field
from torch import Tensor

from lib.config import Config
from lib.fetch import Fetcher
from lib.images import DecodeLimits, decode
from lib.preprocessing import Preprocessing, resize
from lib.reasons import ItemError
from lib.retries import Retries
from lib.storage import StorageConfig


class ReadingConfig(Config):
    """How images are read, and which are refused as too large."""

    threads: int = Field(default=16, ge=1)
    max_retries: int = Field(default=1000, ge=0, description="of reads, an actor and run")
    max_image_pixels: int = Field(default=64_000_000, ge=1)
    max_image_bytes: int = Field(default=100 * 2**20, ge=1)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An item's pixels, uint8 [3, s, s], or why it has none; and what that took."""

    pixels: Tensor | None = None
    error: ItemError | None = None
    bytes_fetched: int = 0
    fetch_s: float = 0.0  # waiting for the store
    decode_s: float = 0.0  # of one core


class Preparer:
    """Fetches, decodes and resizes on threads; all three release the GIL."""

    def __init__(
        self, preprocessing: Preprocessing, config: ReadingConfig, storage: StorageConfig
    ) -> None:
        """Make the threads and the connections."""
        self._preprocessing = preprocessing
        self._limits = DecodeLimits(
            max_pixels=config.max_image_pixels, max_bytes=config.max_image_bytes
        )
        self.retries = Retries(config.max_retries)
        self._fetcher = Fetcher(storage, self.retries)
        self._pool = ThreadPoolExecutor(config.threads)

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items, many at a time, and give them in their order."""
        return self._pool.map(self.prepare, uris, etags)

    def prepare(self, uri: str, etag: str | None) -> Prepared:
        """Prepare one item at a version; whatever is wrong with it alone is in the result."""
        started = time.perf_counter()
        try:
            data = self._fetcher.fetch(uri, etag)
        except ItemError as error:
            return Prepared(error=error, fetch_s=time.perf_counter() - started)
        fetch_s = time.perf_counter() - started
        core_started = time.thread_time()
        pixels: Tensor | None = None
        problem: ItemError | None = None
        try:
            pixels = resize(decode(data, self._limits), self._preprocessing)
        except ItemError as error:
            problem = error
        return Prepared(
            pixels=pixels,
            error=problem,
            bytes_fetched=len(data),
            fetch_s=fetch_s,
            decode_s=time.thread_time() - core_started,
        )
