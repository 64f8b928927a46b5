"""No warning of a decoder gets out of the thread that is decoding."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Final, cast


class _Quiet(threading.local):
    """The message pattern of one warnings filter: it matches in threads that are decoding."""

    decoding = False

    def match(self, _text: str) -> bool:
        return self.decoding


_QUIET: Final = _Quiet()
_QUIET_FILTER: Final = ("ignore", _QUIET, Warning, None, 0)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let no warning of this thread out; `catch_warnings` would swap the filters of all."""
    filters = cast("list[object]", warnings.filters)
    if not filters or filters[0] is not _QUIET_FILTER:  # others put theirs first, or an older list
        filters[:] = [_QUIET_FILTER, *(each for each in filters if each is not _QUIET_FILTER)]
    _QUIET.decoding = True
    try:
        yield
    finally:
        _QUIET.decoding = False
