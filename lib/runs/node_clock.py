"""How long nodes of each kind have been there for a run: what it is paid for."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from lib.runs.metrics_log import UnitFigures
from lib.runs.receipt import Receipt

EVERY_S = 15.0

CountNodes = Callable[[], Mapping[str, int]]  # by kind, those that are there now


class NodeClock:
    """Counts node hours by kind, from its making on."""

    def __init__(self, count_nodes: CountNodes) -> None:
        """Begin to count."""
        self._count_nodes = count_nodes
        self._at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the nodes should be counted again."""
        return time.monotonic() - self._at >= EVERY_S

    def tick(self) -> dict[str, float]:
        """Return the hours since the last tick, of the nodes that are there now."""
        before, self._at = self._at, time.monotonic()
        hours = (self._at - before) / 3600
        return {kind: count * hours for kind, count in self._count_nodes().items()}


def clocked(
    receipts: Iterable[Receipt], figures: UnitFigures, count_nodes: CountNodes
) -> Iterator[Receipt]:
    """Pass receipts on, and count the node hours meanwhile.

    Args:
        receipts: of units, as they are done.
        figures: takes the node hours; whoever takes the receipts counts them there.
        count_nodes: as `NodeClock`.
    """
    clock = NodeClock(count_nodes)
    for receipt in receipts:
        if clock.is_due:
            figures.spend(clock.tick())
        yield receipt
    figures.spend(clock.tick())
