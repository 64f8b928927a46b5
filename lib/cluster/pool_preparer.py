"""Fetching and decoding on other nodes, for an actor that classifies."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from lib.errors import ReshelveError
from lib.images.device_preparer import DevicePreparer
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, StuckError

CHUNK = 64  # items that one helper is given at a time: 10 MB of pixels at 224 px
AHEAD = 2  # chunks under way, a helper

Chunk = list[tuple[str, str | None]]


def pack(prepared: Iterable[Prepared]) -> tuple[Pixels, list[Prepared]]:
    """Put all pixels into one array, which travels without being copied; the rest beside it."""
    found, rest = [], []
    for each in prepared:
        if each.pixels is not None:
            found.append(each.pixels)
        rest.append(replace(each, pixels=None))
    pixels = np.stack(found) if found else np.empty((0, 3, 1, 1), np.uint8)
    return pixels, rest


def unpack(pixels: Pixels, rest: Iterable[Prepared]) -> Iterator[Prepared]:
    """Undo `pack`: an item without an error has the next pixels."""
    remaining = iter(pixels)
    for each in rest:
        if each.error is None:
            # a copy, since what Ray hands out cannot be written to, and torch asks for that
            yield replace(each, pixels=next(remaining).copy())
        else:
            yield each


def here_is_sooner(
    here: int, there: int, helpers: int, seconds_here: float, seconds_there: float
) -> bool:
    """Say whether another chunk would be done on the device before a helper had done it.

    Args:
        here: chunks that wait for the device.
        there: chunks that wait for the helpers.
        helpers: how many there are.
        seconds_here: that the last chunk took on the device.
        seconds_there: that the last chunk took a helper.
    """
    return (here + 1) * seconds_here <= (there // helpers + 1) * seconds_there


class PoolPreparer(DevicePreparer):
    """Prepares items on the helpers, in turn; what a helper cannot do, it does itself.

    With a device it takes a part of the chunks from the start: each goes where it is done sooner.
    """

    def __init__(self, helpers: Sequence[Any], *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # Ray's handles, and what `DevicePreparer` takes
        """Keep the helpers; the rest is as for `DevicePreparer`."""
        super().__init__(*arguments, **options)
        self._helpers = helpers
        self._here = ThreadPoolExecutor(1)
        self._seconds_here = self._seconds_there = 1.0  # of the last chunk, or a guess

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items, many at a time, and yield them in their order.

        Raises:
            ReshelveError: nothing can be read, or the budget of retries is spent.
            StuckError: an image that a helper has failed at takes too long here, too.
        """
        pairs = zip(uris, etags, strict=True)
        under_way: deque[tuple[Chunk, Any]] = deque()
        most = AHEAD * len(self._helpers)
        turn = 0
        try:
            while True:
                here = [each for _, each in under_way if isinstance(each, Future)]
                there = [each for _, each in under_way if not isinstance(each, Future)]
                on_device = self._takes_next(here, there, most)
                if (on_device or len(there) < most) and (chunk := list(islice(pairs, CHUNK))):
                    if on_device:
                        answer: Any = self._here.submit(self._prepare_here, chunk)
                    else:
                        answer = self._helpers[turn % len(self._helpers)].prepare.remote(chunk)
                        turn += 1
                    under_way.append((chunk, answer))
                elif under_way:
                    yield from self._take(*under_way.popleft())
                else:
                    return
        finally:
            for _, each in under_way:
                if isinstance(each, Future):
                    each.cancel()

    def _takes_next(self, here: Sequence["Future[Any]"], there: Sequence[Any], most: int) -> bool:
        """Say whether the device takes the next chunk; what has been made waits for its turn."""
        if self.device is None or len(here) >= most:
            return False
        _, busy = ray.wait(list(there), num_returns=len(there), timeout=0) if there else ([], [])
        return here_is_sooner(
            sum(not each.done() for each in here),
            len(busy),
            len(self._helpers),
            self._seconds_here,
            self._seconds_there,
        )

    def _prepare_here(self, chunk: Chunk) -> list[Prepared]:
        found = list(super().stream(*zip(*chunk, strict=True)))
        self._seconds_here = sum(each.decode_s for each in found)
        return found

    def _take(
        self,
        chunk: Chunk,
        answer: Any,  # noqa: ANN401  # a reference of Ray's, or what is made here
    ) -> Iterator[Prepared]:
        if isinstance(answer, Future):
            yield from answer.result()
            return
        try:
            pixels, rest = ray.get(answer)
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ReshelveError) and not isinstance(cause, StuckError):
                raise cause from error
            # its node is gone, or an image has ended it; here a killer is known by its attempts
            yield from super().stream(*zip(*chunk, strict=True))
        else:
            self._seconds_there = sum(each.decode_s for each in rest)
            yield from unpack(pixels, rest)
