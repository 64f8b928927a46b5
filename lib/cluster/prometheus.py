"""The figures of a run as Ray's metrics, which its dashboard and Prometheus read."""

from ray.util.metrics import Counter, Gauge

from lib.runs.receipt import Receipt
from lib.training.history import EpochRecord

STAGES = ("fetch", "decode", "forward")
OF_AN_EPOCH = ("epoch", "train_loss", "validation_loss", "validation_accuracy", "images_per_s")


class UnitMetrics:
    """Of one classification, counted in the driver: a unit that is done twice counts once."""

    def __init__(self, run_id: str) -> None:
        """Name the run that all figures are of; Ray must be connected."""
        self._run = {"run_id": run_id}
        self._items = _counter("items", "Items that have their row.")
        self._errors = _counter("errors", "Items that are error rows, by reason.", "reason")
        self._bytes = _counter("fetched_bytes", "Bytes of images that were read.")
        self._retries = _counter("retries", "Reads that were tried again.")
        self._seconds = _counter("stage_seconds", "Seconds in each stage of a unit.", "stage")
        self._rate = _gauge("images_per_s", "Images a second since the start of this try.")

    def add(self, receipt: Receipt, images_per_s: float) -> None:
        """Count a finished unit."""
        self._count(self._items, receipt.items)
        self._count(self._bytes, receipt.bytes_fetched)
        self._count(self._retries, receipt.retries)
        for reason, count in receipt.errors.items():
            self._count(self._errors, count, reason=reason)
        for stage in STAGES:
            self._count(self._seconds, getattr(receipt, f"{stage}_s"), stage=stage)
        self._rate.set(images_per_s, self._run)

    def _count(self, counter: Counter, value: float, **tags: str) -> None:
        if value:  # Ray refuses to count nothing
            counter.inc(value, {**self._run, **tags})


class TrainingMetrics:
    """Of one training: its latest epoch."""

    def __init__(self, run_id: str) -> None:
        """Name the run that all figures are of; Ray must be connected."""
        self._run = {"run_id": run_id}
        self._gauges = {
            name: _gauge(f"training_{name}", f"Of the latest epoch: {name}.")
            for name in OF_AN_EPOCH
        }

    def add(self, epoch: EpochRecord) -> None:
        """Report the figures of an epoch."""
        for name, gauge in self._gauges.items():
            gauge.set(float(getattr(epoch, name)), self._run)


def _counter(name: str, meaning: str, *tags: str) -> Counter:
    return Counter(f"reshelve_{name}", meaning, ("run_id", *tags))


def _gauge(name: str, meaning: str) -> Gauge:
    return Gauge(f"reshelve_{name}", meaning, ("run_id",))
