"""What is seen of a run while it runs: its folder's figures, Ray's metrics, and its node hours."""

from collections.abc import Iterable, Iterator

from lib.cluster.node_hours import nodes_by_kind
from lib.cluster.prometheus import TrainingMetrics, UnitMetrics
from lib.runs.metrics_log import Figures, UnitFigures
from lib.runs.node_clock import NodeClock, clocked
from lib.runs.receipt import Receipt
from lib.runs.run import Run
from lib.training.history import EpochRecord, epoch_line


def watched(receipts: Iterable[Receipt], run_id: str, figures: UnitFigures) -> Iterator[Receipt]:
    """Pass receipts on, tell Ray's metrics of each, and count the node hours meanwhile.

    Args:
        receipts: of units that are done on a cluster; Ray must be connected.
        run_id: that the metrics are of.
        figures: takes the node hours; whoever takes the receipts counts them there.
    """
    metrics = UnitMetrics(run_id)
    for receipt in clocked(receipts, figures, nodes_by_kind):
        metrics.add(receipt, figures.images_per_s)
        yield receipt


class TrainingWatch:
    """Of a training; Ray must be connected."""

    def __init__(self, run: Run) -> None:
        """Continue the figures of earlier tries."""
        self._figures, self._clock = Figures(run), NodeClock(nodes_by_kind)
        self._metrics = TrainingMetrics(run.run_id)

    def add(self, epoch: EpochRecord) -> None:
        """Take a finished epoch in."""
        self._figures.spend(self._clock.tick())
        self._figures.add(epoch_line(epoch), last=epoch.epoch == epoch.epochs)
        self._metrics.add(epoch)
