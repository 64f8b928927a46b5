"""From an item's URI to the pixels the model sees, for training and inference alike."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from lib.errors import ReshelveError
from lib.images.budget import PixelBudget
from lib.images.config import ReadingConfig
from lib.images.decode import decode
from lib.images.fetch import Fetcher
from lib.images.formats import DecodeLimits
from lib.images.jpeg import Pixels
from lib.images.memory_limit import return_what_is_freed
from lib.images.preprocessing import Preprocessing
from lib.images.resampling import Resample, by_torch
from lib.images.resize import resize
from lib.reasons import ItemError
from lib.storage.config import StorageConfig
from lib.storage.file_names import check_name
from lib.storage.retries import Retries

PATIENCE = 2  # limits of time that an image is given among others, which use the same cores
_LARGE_BYTES = 8 * 2**20  # Pillow's large images are made of blocks of 16 MiB
_AHEAD = 1_024  # images whose pixels may wait for their consumer, as all of a unit
_LOOK_S = 1.0  # how often a consumer that waits looks at the clock

Decode = Callable[[bytes, DecodeLimits, Preprocessing], Pixels]
Found = TypeVar("Found")


class StuckError(ReshelveError):
    """An image keeps its thread for too long; only the end of the process ends that."""

    def __init__(self, uri: str, limit_s: float) -> None:
        """Name the image and the limit."""
        super().__init__(
            f"{uri}: decoding takes longer than {limit_s:g} s; remove the image from the catalog, "
            "or raise reading.timeout_s"
        )
        self.uri = uri
        self.limit_s = limit_s

    def __reduce__(self) -> tuple[type["StuckError"], tuple[str, float]]:
        """Travel between processes with both parts."""
        return type(self), (self.uri, self.limit_s)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An item's pixels, uint8 [3, s, s], or why it has none; and what that took."""

    pixels: Pixels | None = None
    error: ItemError | None = None
    bytes_fetched: int = 0
    fetch_s: float = 0.0  # waiting for the store
    decode_s: float = 0.0  # of one core


@dataclass(frozen=True)
class Decoder:
    """From a file's bytes to the model's pixels; travels to other processes."""

    preprocessing: Preprocessing
    limits: DecodeLimits
    decode: Decode = decode
    resample: Resample = by_torch

    def __call__(self, data: bytes) -> Prepared:
        """Decode and resize; what is wrong with the image is in the result."""
        pixels: Pixels | None = None
        problem: ItemError | None = None
        started = time.thread_time()
        try:
            picture = self.decode(data, self.limits, self.preprocessing)
            pixels = resize(picture, self.preprocessing, self.resample)
        except ItemError as error:
            problem = error
        return Prepared(pixels=pixels, error=problem, decode_s=time.thread_time() - started)


class Preparer:
    """Fetches, decodes and resizes on threads; all three release the GIL."""

    def __init__(
        self,
        preprocessing: Preprocessing,
        config: ReadingConfig,
        storage: StorageConfig,
        decode: Decode = decode,
        resample: Resample = by_torch,
    ) -> None:
        """Make the threads and the connections."""
        self.decoder = Decoder(preprocessing, config.limits, decode, resample)
        self.config = config
        self.retries = Retries(config.max_retries)
        self._fetcher = Fetcher(storage, self.retries, config)
        self._pool = ThreadPoolExecutor(config.threads)
        return_what_is_freed(_LARGE_BYTES)
        self._budget = PixelBudget(config.max_image_pixels)  # as one image may have
        self._decoding: dict[int, tuple[str, float]] = {}  # by thread: what, and since when

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items, many at a time, and yield them in their order.

        Raises:
            StuckError: an image takes so long to decode that it may never end.
        """
        pairs = zip(uris, etags, strict=True)
        submitted = (self._pool.submit(self.prepare, uri, etag) for uri, etag in pairs)
        futures = deque(islice(submitted, _AHEAD))
        try:
            while futures:
                found = self.wait_for(futures[0])
                futures.popleft()
                yield found
                futures.extend(islice(submitted, 1))
        finally:
            for future in futures:
                future.cancel()

    def prepare(self, uri: str, etag: str | None) -> Prepared:
        """Prepare one item at a version; whatever is wrong with it alone is in the result."""
        data, fetched = self.fetch(uri, etag)
        return fetched if data is None else self.decoded(uri, data, fetched)

    def decoded(self, uri: str, data: bytes, fetched: Prepared) -> Prepared:
        """Decode an item's bytes as soon as others leave room for it."""
        share = 0

        def admit(pixels: int) -> None:
            nonlocal share
            self._decoding.pop(threading.get_ident())  # who waits for others is not stuck
            share = self._budget.take(pixels)
            self._decoding[threading.get_ident()] = uri, time.monotonic()

        limits = replace(self.decoder.limits, admit=admit)
        try:
            with self.watched(uri):
                decoded = replace(self.decoder, limits=limits)(data)
        finally:
            self._budget.give_back(share)
        return replace(decoded, bytes_fetched=fetched.bytes_fetched, fetch_s=fetched.fetch_s)

    def fetch(self, uri: str, etag: str | None) -> tuple[bytes | None, Prepared]:
        """Return an item's bytes, or none; and what is known of it so far."""
        try:
            check_name(uri)
        except ItemError as error:
            return None, Prepared(error=error)
        started = time.perf_counter()
        try:
            data = self._fetcher.fetch(uri, etag)
        except ItemError as error:
            return None, Prepared(error=error, fetch_s=time.perf_counter() - started)
        fetch_s = time.perf_counter() - started
        return data, Prepared(bytes_fetched=len(data), fetch_s=fetch_s)

    @contextmanager
    def watched(self, uri: str) -> Iterator[None]:
        """Let whoever waits see how long this thread works on an image."""
        self._decoding[threading.get_ident()] = uri, time.monotonic()
        try:
            yield
        finally:
            self._decoding.pop(threading.get_ident(), None)

    def wait_for(self, future: "Future[Found]") -> Found:
        """Return what another thread finds.

        Raises:
            StuckError: an image takes so long to decode that it may never end.
        """
        while not wait([future], timeout=_LOOK_S).done:
            self._check_clock()
        return future.result()

    def _check_clock(self) -> None:
        limit_s = PATIENCE * self.config.timeout_s
        now = time.monotonic()
        for uri, since in list(self._decoding.values()):
            if now - since > limit_s:
                raise StuckError(uri, limit_s)
