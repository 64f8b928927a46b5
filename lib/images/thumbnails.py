"""Small pictures for reports: fetched here, and made small in a process that they may kill."""

import contextlib
from collections.abc import Sequence

from lib.images.config import ReadingConfig
from lib.images.fetch import Fetcher
from lib.images.memory_limit import allowance
from lib.images.nursery import Nursery, Task, fetch_ahead
from lib.images.small_jpeg import ToJpeg
from lib.reasons import ItemError
from lib.storage.config import StorageConfig
from lib.storage.retries import Retries

AHEAD = 4  # files in memory: the report is made where the job runs, beside much else


def read_thumbnails(
    uris: Sequence[str], reading: ReadingConfig, storage: StorageConfig, *, square: bool = True
) -> list[bytes | None]:
    """Read images and return each as a small JPEG; None where it cannot be shown.

    One at a time is decoded, in a process that it may kill.

    Args:
        uris: of the images.
        reading: how they are read.
        storage: of the stores.
        square: whether the rest of a square is filled with white.

    Raises:
        ReshelveError: that process cannot be started, or is killed again and again.
    """
    if not uris:
        return []
    fetcher = Fetcher(storage, Retries(reading.max_retries), reading)

    def fetch(uri: str) -> bytes | None:
        with contextlib.suppress(ItemError):
            return fetcher.fetch(uri)
        return None

    limits = reading.limits
    task = Task(
        work=ToJpeg(limits, square=square), memory=allowance(limits), timeout_s=reading.timeout_s
    )
    with contextlib.closing(Nursery(task)) as nursery:
        return [
            None if data is None else _show(data, nursery)
            for data in fetch_ahead(fetch, uris, min(reading.threads, AHEAD))
        ]


def _show(data: bytes, nursery: Nursery) -> bytes | None:
    with contextlib.suppress(ItemError):
        jpeg: bytes = nursery.work(data)
        return jpeg
    return None
