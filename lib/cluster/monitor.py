"""What is seen of a run while it runs: its folder's figures, Ray's metrics, and its node hours."""

from lib.cluster.node_hours import NodeClock
from lib.cluster.prometheus import TrainingMetrics, UnitMetrics
from lib.runs.metrics_log import Figures, UnitFigures
from lib.runs.receipt import Receipt
from lib.runs.run import Run
from lib.training.history import EpochRecord, epoch_line


class UnitWatch:
    """Of a classification; Ray must be connected."""

    def __init__(self, run: Run, items: int, done: int) -> None:
        """Begin with `done` of `items` finished by an earlier try."""
        self._figures, self._clock = UnitFigures(run, items, done), NodeClock()
        self._metrics = UnitMetrics(run.run_id)

    def add(self, receipt: Receipt) -> None:
        """Take a finished unit in."""
        if self._clock.is_due:
            self._figures.spend(self._clock.tick())
        self._figures.add(receipt)
        self._metrics.add(receipt, self._figures.images_per_s)

    def close(self) -> None:
        """Say how it stands at the end of this try."""
        self._figures.spend(self._clock.tick())
        self._figures.close()


class TrainingWatch:
    """Of a training; Ray must be connected."""

    def __init__(self, run: Run) -> None:
        """Go on with the figures of earlier tries."""
        self._figures, self._clock = Figures(run), NodeClock()
        self._metrics = TrainingMetrics(run.run_id)

    def add(self, epoch: EpochRecord) -> None:
        """Take a finished epoch in."""
        self._figures.spend(self._clock.tick())
        self._figures.add(epoch_line(epoch), last=epoch.epoch == epoch.epochs)
        self._metrics.add(epoch)
