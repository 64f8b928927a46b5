"""Fetching and decoding on other nodes, for an actor that classifies."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from lib.errors import ReshelveError
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer, StuckError

CHUNK = 64  # items that one helper is given at a time: 10 MB of pixels at 224 px
AHEAD = 2  # chunks under way, a helper


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


class PoolPreparer(Preparer):
    """Prepares items on the helpers, in turn; what a helper cannot do, it does itself."""

    def __init__(self, helpers: Sequence[Any], *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # Ray's handles, and what `Preparer` takes
        """Keep the helpers; the rest is as for `Preparer`."""
        super().__init__(*arguments, **options)
        self._helpers = helpers

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items, many at a time, and yield them in their order.

        Raises:
            ReshelveError: nothing can be read, or the budget of retries is spent.
            StuckError: an image that a helper has failed at takes too long here, too.
        """
        pairs = zip(uris, etags, strict=True)
        under_way: deque[tuple[list[tuple[str, str | None]], Any]] = deque()
        turn = 0
        while True:
            while len(under_way) < AHEAD * len(self._helpers) and (
                chunk := list(islice(pairs, CHUNK))
            ):
                helper = self._helpers[turn % len(self._helpers)]
                under_way.append((chunk, helper.prepare.remote(chunk)))
                turn += 1
            if not under_way:
                return
            chunk, answer = under_way.popleft()
            yield from self._take(chunk, answer)

    def _take(
        self,
        chunk: list[tuple[str, str | None]],
        answer: Any,  # noqa: ANN401  # a reference of Ray's
    ) -> Iterator[Prepared]:
        try:
            pixels, rest = ray.get(answer)
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ReshelveError) and not isinstance(cause, StuckError):
                raise cause from error
            # its node is gone, or an image has ended it; here a killer is known by its attempts
            yield from super().stream(*zip(*chunk, strict=True))
        else:
            yield from unpack(pixels, rest)
