"""Who has which item open: two people are not asked about the same one at once."""

import threading
import time
from collections.abc import Callable, Iterable

RESERVED_S = 60.0


class Reservations:
    """Items that somebody has open, for a minute each from when they were last shown."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Reserve nothing yet."""
        self._now = now
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def take(self, item_ids: Iterable[str], who: str, most: int) -> list[str]:
        """Reserve the first items that nobody else has open, at most so many; return them."""
        with self._lock:
            now, taken = self._now(), []
            for item_id in item_ids:
                holder, until = self._held.get(item_id, (who, 0.0))
                if holder != who and until > now:
                    continue
                self._held[item_id] = (who, now + RESERVED_S)
                taken.append(item_id)
                if len(taken) == most:
                    break
            self._forget(now)
            return taken

    def release(self, item_ids: Iterable[str], who: str) -> None:
        """Let others have items again that somebody has decided or left."""
        with self._lock:
            for item_id in item_ids:
                if self._held.get(item_id, ("", 0.0))[0] == who:
                    del self._held[item_id]

    def _forget(self, now: float) -> None:
        for item_id in [each for each, (_, until) in self._held.items() if until <= now]:
            del self._held[item_id]
