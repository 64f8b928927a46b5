"""From an item's URI to the model's pixels, where a device decodes what it can."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from lib.images.device_decode import DeviceDecoder
from lib.images.jpeg import Pixels
from lib.images.plain_jpeg import plain_pixels
from lib.images.preparer import Prepared, Preparer

BATCH: Final = 64  # files that the device is given at a time
_AHEAD: Final = 3  # batches that are fetched, the one that is next among them
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """An item before the device has seen it; all is done where it has no data."""

    uri: str
    prepared: Prepared
    data: bytes = b""
    pixels: int = 0  # of the file


class DevicePreparer(Preparer):
    """Fetches on threads; plain JPEG files are decoded on the device, all others on the threads.

    The threads also take what the device does not decode: what is wrong with it, they say.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401  # what `Preparer` takes
        device: DeviceDecoder | None = None,
        **options: Any,  # noqa: ANN401  # the same
    ) -> None:
        """Keep the device; without one, all is as `Preparer` does it."""
        super().__init__(*arguments, **options)
        self.device = device
        self._of_device = ThreadPoolExecutor(1)

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items, many at a time, and yield them in their order.

        Raises:
            StuckError: an image, or the device, takes so long that it may never end.
        """
        if self.device is None:
            yield from super().stream(uris, etags)
            return
        pairs = zip(uris, etags, strict=True)
        batches = iter(lambda: [*islice(pairs, BATCH)], [])
        submitted = ([self._pool.submit(self._begin, *pair) for pair in each] for each in batches)
        waiting = deque(islice(submitted, _AHEAD))
        try:
            while waiting:
                begun = [self.wait_for(future) for future in waiting[0]]
                waiting.popleft()
                yield from self._finish(begun, self.device)
                waiting.extend(islice(submitted, 1))
        finally:
            for batch in waiting:
                for future in batch:
                    future.cancel()

    def _begin(self, uri: str, etag: str | None) -> _Begun:
        data, fetched = self.fetch(uri, etag)
        if data is None:
            return _Begun(uri=uri, prepared=fetched)
        decoder, started = self.decoder, time.thread_time()
        with self.watched(uri):
            pixels = plain_pixels(data, decoder.limits, decoder.preprocessing.size_px)
        if not pixels:
            return _Begun(uri=uri, prepared=self.decoded(uri, data, fetched))
        seconds = time.thread_time() - started
        return _Begun(
            uri=uri, prepared=replace(fetched, decode_s=seconds), data=data, pixels=pixels
        )

    def _finish(self, begun: Sequence[_Begun], device: DeviceDecoder) -> Iterator[Prepared]:
        """Decode what the device may take, then the rest on the threads; yield in order."""
        found: dict[int, Prepared] = {}
        again: dict[int, Future[Prepared]] = {}
        for places in _within(begun, self.config.max_image_pixels):
            files = [begun[place] for place in places]
            decoded, seconds = self.wait_for(self._of_device.submit(self._decode, device, files))
            for place, each, pixels in zip(places, files, decoded, strict=True):
                if pixels is None:
                    task = self._pool.submit(self.decoded, each.uri, each.data, each.prepared)
                    again[place] = task
                else:
                    took = each.prepared.decode_s + seconds / len(files)
                    found[place] = replace(each.prepared, pixels=pixels, decode_s=took)
        for place, each in enumerate(begun):
            if place in again:
                yield self.wait_for(again[place])
            else:
                yield found.get(place, each.prepared)

    def _decode(
        self, device: DeviceDecoder, files: Sequence[_Begun]
    ) -> tuple[Sequence[Pixels | None], float]:
        started = time.perf_counter()
        with self.watched(files[0].uri):
            try:
                decoded = device.decode([each.data for each in files])
            except RuntimeError as error:
                LOGGER.warning("%d JPEG files are decoded on CPUs: %s", len(files), error)
                decoded = [None] * len(files)
        return decoded, time.perf_counter() - started


def _within(begun: Sequence[_Begun], most_pixels: int) -> Iterator[list[int]]:
    """Yield the places of what the device decodes at a time: of so many pixels, or of one file."""
    places: list[int] = []
    left = most_pixels
    for place, each in enumerate(begun):
        if not each.data:
            continue
        if places and each.pixels > left:
            yield places
            places, left = [], most_pixels
        places.append(place)
        left -= each.pixels
    if places:
        yield places
