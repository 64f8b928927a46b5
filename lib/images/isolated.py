"""Images are prepared one by one in another process, which one of them may kill or keep."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from lib.images.memory_limit import allowance, lacks_memory
from lib.images.nursery import Nursery, Task, fetch_ahead
from lib.images.preparer import Decoder, Prepared, Preparer
from lib.reasons import ItemError


class CarefulPreparer:
    """Gives what `Preparer` gives, slower, and an error where that one would die or hang."""

    def __init__(self, preparer: Preparer) -> None:
        """Take over a preparer's connections, retries and decoder."""
        self._preparer = preparer

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items and yield them in their order; fetching goes ahead of decoding.

        Raises:
            ReshelveError: the other process cannot be started, or is killed again and again.
        """
        decoder, config = self._preparer.decoder, self._preparer.config
        task = Task(
            work=_Pack(decoder), memory=allowance(decoder.limits), timeout_s=config.timeout_s
        )
        pairs = zip(uris, etags, strict=True)
        with contextlib.closing(Nursery(task)) as nursery:
            fetched = fetch_ahead(lambda pair: self._preparer.fetch(*pair), pairs, config.threads)
            with contextlib.closing(fetched):
                for data, known in fetched:
                    yield known if data is None else _finish(data, known, nursery)

    def prepare(self, uri: str, etag: str | None) -> Prepared:
        """Prepare one item at a version; whatever is wrong with it alone is in the result."""
        (prepared,) = self.stream([uri], [etag])
        return prepared


def _finish(data: bytes, fetched: Prepared, nursery: Nursery) -> Prepared:
    try:
        prepared, pixels = nursery.work(data)
    except ItemError as error:
        return replace(fetched, error=error)
    assert isinstance(prepared, Prepared)
    if pixels is not None:
        prepared = replace(prepared, pixels=torch.from_numpy(pixels))
    return replace(prepared, bytes_fetched=fetched.bytes_fetched, fetch_s=fetched.fetch_s)


@dataclass(frozen=True)
class _Pack:
    """Decodes, and gives the pixels as an array.

    torch would send a handle to shared memory, which may outlive both ends.
    """

    decoder: Decoder

    def __call__(self, data: bytes) -> tuple[Prepared, NDArray[np.uint8] | None]:
        prepared = self.decoder(data)
        if prepared.error and lacks_memory(prepared.error.__context__):
            raise prepared.error
        pixels = None if prepared.pixels is None else prepared.pixels.numpy()
        return replace(prepared, pixels=None), pixels
