"""What an image file is, before anything learns from it: its bytes, its size, its look."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from lib.hashing import digest_bytes
from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.images.formats import DecodeLimits, read_image
from lib.images.looks import Looks, looks_of
from lib.images.memory_limit import allowance
from lib.images.nursery import Nursery, Task, fetch_ahead
from lib.images.painted import paint
from lib.images.small_jpeg import TURNS
from lib.reasons import ItemError
from lib.storage.config import StorageConfig
from lib.storage.retries import Retries

AHEAD = 4  # files in memory
PLACES = 8  # a side


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is known of an image that can be decoded.

    Attributes:
        digest: of the file's bytes.
        width: in pixels, upright.
        height: the same.
        looks: as `looks_of`.
        contrast: standard deviation of the lightness of a few large places, 0 to 127.
    """

    digest: str
    width: int
    height: int
    looks: Looks
    contrast: float


def inspect_images(
    uris: Sequence[str],
    etags: Sequence[str | None],
    reading: ReadingConfig,
    storage: StorageConfig,
) -> Iterator[Inspection | ItemError]:
    """Yield what each image is, in their order, or why it cannot be decoded.

    One at a time is decoded, in a process that it may kill.

    Raises:
        ReshelveError: that process cannot be started, or a store cannot be read at all.
    """
    fetcher = Fetcher(storage, Retries(reading.max_retries), reading)

    def fetch(item: tuple[str, str | None]) -> bytes | ItemError:
        try:
            return fetcher.fetch(*item)
        except ItemError as error:
            return error

    limits = reading.limits
    task = Task(work=_Inspect(limits), memory=allowance(limits), timeout_s=reading.timeout_s)
    items = zip(uris, etags, strict=True)
    with closing(Nursery(task)) as nursery:
        for data in fetch_ahead(fetch, items, min(reading.threads, AHEAD)):
            yield data if isinstance(data, ItemError) else _ask(data, nursery)


def _ask(data: bytes, nursery: Nursery) -> Inspection | ItemError:
    try:
        found: Inspection = nursery.work(data)
    except ItemError as error:
        return error
    return found


@dataclass(frozen=True)
class _Inspect:
    """Inspects a file's bytes."""

    limits: DecodeLimits

    def __call__(self, data: bytes) -> Inspection:
        return read_image(data, self.limits, _inspect)


def _inspect(image: ImageFile, data: bytes) -> Inspection:
    pixels, orientation = paint(image, data)
    grey = Image.fromarray(pixels).convert("L")
    turn = TURNS.get(orientation)
    grey = grey.transpose(turn) if turn is not None else grey
    places = grey.resize((PLACES, PLACES), Image.Resampling.BOX)
    return Inspection(
        digest=digest_bytes(data),
        width=grey.width,
        height=grey.height,
        looks=looks_of(grey),
        contrast=float(np.asarray(places).std()),
    )
