"""Groups of looks among what waits for a person, found in the background once per version."""

import contextlib
import threading
from collections.abc import Callable

import duckdb
import pyarrow as pa

from lib.desk.local_table import LocalTable
from lib.desk.queue import Queue
from lib.errors import InputError, StoreError

MOST_ITEMS = 20_000  # the most unsure ones; nobody comes to the others in a day
_WAITING = """
    SELECT item_id, uri, etag FROM labels WHERE decision = 'review'
    ORDER BY margin, item_id LIMIT $most"""


class Grouping:
    """Spreads the queue of a version over looks, once it is known what looks alike."""

    def __init__(self, queue: Queue, find: Callable[[pa.Table], pa.Array]) -> None:
        """Begin nothing yet.

        Args:
            queue: whose order it is.
            find: gives items, by their uri and etag, the numbers of their groups.
        """
        self._queue, self._find = queue, find
        self._thread: threading.Thread | None = None

    def begin(self, table: LocalTable) -> None:
        """Look for the groups of a version that was just opened."""
        self._thread = threading.Thread(target=self._group, args=[table], daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until what was begun has ended."""
        if (thread := self._thread) is not None:
            thread.join()

    def _group(self, table: LocalTable) -> None:
        # without groups the order is spread over categories alone: where there are no embeddings,
        # a store is away, or the version was closed meanwhile
        with contextlib.suppress(InputError, StoreError, duckdb.Error):
            items = table.read(_WAITING, {"most": MOST_ITEMS})
            groups = self._find(items)
            self._queue.spread(table, items.select(["item_id"]).append_column("cluster", groups))
