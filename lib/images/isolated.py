"""Images are prepared one by one in another process, which one of them may kill or keep."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lib.images.memory_limit import allowance, lacks_memory
from lib.images.nursery import Nursery, Task, fetch_ahead
from lib.images.preparer import Decoder, Prepared, Preparer
from lib.images.resampling import by_products
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
        config = self._preparer.config
        # of one image at a time; each process that one ends would load torch again
        decoder = replace(self._preparer.decoder, resample=by_products)
        task = Task(
            work=_Decoding(decoder), memory=allowance(decoder.limits), timeout_s=config.timeout_s
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
        prepared = nursery.work(data)
    except ItemError as error:
        return replace(fetched, error=error)
    assert isinstance(prepared, Prepared)
    return replace(prepared, bytes_fetched=fetched.bytes_fetched, fetch_s=fetched.fetch_s)


@dataclass(frozen=True)
class _Decoding:
    """Decodes in a process of little memory."""

    decoder: Decoder

    def __call__(self, data: bytes) -> Prepared:
        prepared = self.decoder(data)
        if prepared.error and lacks_memory(prepared.error.__context__):
            raise prepared.error
        return prepared
