"""What waits for a person, in the order that was asked for, with the week's audit among it."""

import threading
import time
import zlib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import islice

import pyarrow as pa

from lib.desk.local_table import LocalTable
from lib.desk.places import CODES, Bools, Ints
from lib.desk.reservations import Reservations
from lib.labels.decisions import Decision
from lib.review.audit import draw_sample, week_of
from lib.review.order import Order, ranked

WINDOW = 1_000  # ranks that are read first; the next windows are larger
COUNTED_FOR_S = 2.0
BESIDE_AUDITS = 6  # of so many items of the queue, one is followed by one of the audit
MOST_SESSIONS = 1_000  # whose skipped items are kept
# an answer may be taken back, so that what was answered keeps its rank
_ASKED = """
    SELECT rowid AS place, item_id, category_id, {cluster} AS cluster, margin, decision
    FROM labels l WHERE decision IN ('review', 'error', 'person') OR EXISTS (
        SELECT 1 FROM history h WHERE h.item_id = l.item_id AND (h.answer = 'split'
            OR h.answer <> 'withdrawn' AND coalesce(h.etag, h.uri) <> coalesce(l.etag, l.uri)))"""
_GROUP = "(SELECT g.cluster FROM groups g WHERE g.item_id = l.item_id)"


class Queue:
    """The queue of a desk, for all who answer at once."""

    def __init__(self, reservations: Reservations, audit_per_week: int) -> None:
        """Keep what it is made with.

        Args:
            reservations: who has which item open.
            audit_per_week: accepted items that are asked about blind.
        """
        self._reservations, self._audit_per_week = reservations, audit_per_week
        self._skipped: dict[str, set[str]] = {}
        self._drawn: dict[tuple[int, str], list[str]] = {}
        self._counted: tuple[int, float, int] = (-1, 0.0, 0)
        self._lock = threading.Lock()

    def prepare(self, table: LocalTable, by: Order = Order.HELPFUL) -> None:
        """Make what a page would wait for: the order, once per version, and the week's audit."""
        _ranks(table, by)
        self._audit(table)

    def spread(self, table: LocalTable, groups: pa.Table) -> None:
        """Spread the most helpful over looks, too.

        Args:
            table: a version of the labels table.
            groups: columns item_id and cluster, of what waits.
        """
        table.keep("groups", groups)
        table.read_once(_in_order(Order.HELPFUL, _GROUP))
        table.grouped = True

    def take(
        self, table: LocalTable, by: Order, session: str, most: int, but: Collection[str] = ()
    ) -> list[str]:
        """Return the next items for a browser, which nobody else gets for a minute.

        Args:
            table: as it is shown.
            by: what comes first.
            session: of the browser.
            most: items.
            but: items that the browser has already.
        """
        self.prepare(table, by)
        with self._lock:
            left_out = {*but, *self._skipped.get(session, ())}
        waiting = (each for each in self._waiting(table, by) if each not in left_out)
        return self._reservations.take(waiting, session, most)

    def audited(self, table: LocalTable) -> list[str]:
        """Return the accepted items that this week's audit still asks about."""
        drawn = self._audit(table)
        return [each for each in drawn if not table.answered(each)]

    def skip(self, session: str, item_ids: Collection[str]) -> None:
        """Show items no more in a browser's session, and let others have them."""
        with self._lock:
            self._skipped.setdefault(session, set()).update(item_ids)
            for oldest in list(islice(self._skipped, max(len(self._skipped) - MOST_SESSIONS, 0))):
                del self._skipped[oldest]
        self._reservations.release(item_ids, session)

    def skipped(self, session: str) -> int:
        """Count what a browser's session has skipped."""
        return len(self._skipped.get(session, ()))

    def show_again(self, session: str, item_ids: Collection[str] | None = None) -> None:
        """Show skipped items again; None: all of them."""
        with self._lock:
            kept = self._skipped.pop(session, set())
            if item_ids is not None and (kept := kept.difference(item_ids)):
                self._skipped[session] = kept

    def left(self, table: LocalTable, ago_s: float = COUNTED_FOR_S) -> int:
        """Count what waits for a person, or say what was counted at most so long ago."""
        version, at, items = self._counted
        now = time.monotonic()
        if version != table.version or now - at >= ago_s:
            waiting, _ = _ranks(table, Order.HELPFUL)
            items = int(_open(table, waiting).sum()) + len(self.audited(table))
            self._counted = (table.version, now, items)
        return items

    def _waiting(self, table: LocalTable, by: Order) -> Iterator[str]:
        """Yield what waits, with the audit's items at places that tell nothing."""
        drawn = self.audited(table)
        audits, blind = iter(drawn), {*drawn}
        for item_id, failed in _ranked_items(table, by):
            if item_id in blind:
                continue
            if failed or zlib.crc32(item_id.encode()) % BESIDE_AUDITS == 0:
                yield from islice(audits, None if failed else 1)
            yield item_id
        yield from audits

    def _audit(self, table: LocalTable) -> list[str]:
        key = (table.version, week_of(datetime.now(UTC).date()))
        if not self._audit_per_week:
            return []
        with self._lock:
            if key not in self._drawn:
                accepted = table.read(
                    "SELECT item_id, uri, etag, decision FROM shown WHERE decision = 'accept'"
                )
                history = table.read("SELECT * FROM history")
                found = draw_sample(accepted, history, key[1], self._audit_per_week)
                # the version before is still asked for while this one is opened
                last = dict(list(self._drawn.items())[-1:])
                self._drawn = {**last, key: found["item_id"].to_pylist()}
            return self._drawn[key]


def _in_order(by: Order, cluster: str) -> str:
    query = ranked(_ASKED.format(cluster=cluster), by).replace("$seed", "'0:'")
    # what could not be classified comes after all that could
    return f"""
        SELECT place, (decision = 'error')::TINYINT AS failed FROM ({query})
        ORDER BY failed, rank"""  # noqa: S608  # our own words


def _ranks(table: LocalTable, by: Order) -> tuple[Ints, Ints]:
    """Return the places of all that was ever asked about, in their order, and which are errors."""
    grouped = by == Order.HELPFUL and table.grouped
    found = table.read_once(_in_order(by, _GROUP if grouped else "NULL"))
    return found["place"].to_numpy(), found["failed"].to_numpy()


def _open(table: LocalTable, places: Ints) -> Bools:
    """Say which of some items have no answer that stands."""
    found: Bools = table.places.decision[places] != CODES[Decision.PERSON]
    return found


def _ranked_items(table: LocalTable, by: Order) -> Iterator[tuple[str, bool]]:
    """Yield what has no answer that stands, window by window, and whether it is an error."""
    places, failed = _ranks(table, by)
    first, window = 0, WINDOW
    while first < len(places):
        some = slice(first, first + window)
        waits = _open(table, places[some])
        ids = table.places.ids_at(places[some][waits])
        yield from zip(ids, failed[some][waits].astype(bool).tolist(), strict=True)
        first, window = first + window, 2 * window
