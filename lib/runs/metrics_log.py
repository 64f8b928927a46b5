"""`metrics.jsonl` of a run's folder: one line of figures every some seconds, while it runs."""

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lib.errors import InputError
from lib.runs import files
from lib.runs.cost import add_hours
from lib.runs.receipt import Receipt
from lib.runs.run import FILE, Run

EVERY_S = 15.0
LINES = 500  # stores cannot append: the object is written anew, and so it is kept small
LOGGER = logging.getLogger(__name__)

Line = Mapping[str, Any]


class Figures:
    """The lines of one run, in memory and in its folder.

    A run that is resumed goes on with the lines it has. Once there are more than `LINES`,
    every second one is dropped, so that a run of any length has its whole course in them.
    """

    def __init__(self, run: Run) -> None:
        """Read what earlier tries of the run have left."""
        self._run = run
        self._lines = read_figures(run)
        self._node_hours = hours_of(self._lines)
        self._wrote = 0.0

    def spend(self, node_hours: Mapping[str, float]) -> None:
        """Count node hours, by kind; all lines say the sum over the run's tries."""
        self._node_hours = add_hours(self._node_hours, node_hours)

    def add(self, figures: Line, *, last: bool = False) -> None:
        """Add a line where the one before is `EVERY_S` old, or this one is the last."""
        now = time.monotonic()
        if not last and now - self._wrote < EVERY_S:
            return
        self._wrote = now
        at = datetime.now(UTC).isoformat(timespec="seconds")
        hours = {kind: round(value, 5) for kind, value in self._node_hours.items()}
        line = {"at": at, **figures, "node_hours": hours}
        self._lines = thinned([*self._lines, line], LINES)
        text = "".join(f"{json.dumps(line)}\n" for line in self._lines)
        try:
            self._run.write(files.METRICS, text.encode())
        except InputError as error:
            # the next write has this line, too; only after the last one is anything lost
            if last:
                LOGGER.warning("%s was not written: %s", files.METRICS, error)


class UnitFigures:
    """Adds up the receipts of a run's units, and says so in its folder."""

    def __init__(self, run: Run, items: int, done: int) -> None:
        """Begin with `done` of `items` finished by an earlier try."""
        self._figures = Figures(run)
        self._items, self._done, self._before = items, done, done
        self._errors: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()
        self._started = self._latest = time.monotonic()

    def spend(self, node_hours: Mapping[str, float]) -> None:
        """Count node hours, by kind."""
        self._figures.spend(node_hours)

    def add(self, receipt: Receipt) -> None:
        """Count a finished unit."""
        self._done, self._latest = self._done + receipt.items, time.monotonic()
        self._errors.update(receipt.errors)
        for key in ("bytes_fetched", "retries", "fetch_s", "decode_s", "forward_s"):
            self._sums[key] += getattr(receipt, key)
        self._figures.add(self.line)

    def close(self) -> None:
        """Say how it stands at the end of this try, where anything was done."""
        if self._done > self._before:
            self._figures.add(self.line, last=True)

    @property
    def seconds(self) -> float:
        """Seconds of this try, from its start to its latest unit."""
        return self._latest - self._started

    @property
    def images_per_s(self) -> float:
        """Items per second of this try."""
        return (self._done - self._before) / max(self.seconds, 1e-9)

    @property
    def line(self) -> Line:
        """The figures: items of the whole run, all else of this try."""
        return {
            "items": self._items,
            "done": self._done,
            "images_per_s": round(self.images_per_s, 1),
            "errors": dict(self._errors),
            **{key: round(value, 3) for key, value in self._sums.items()},
        }


def hours_of(lines: Sequence[Line]) -> dict[str, float]:
    """Return the node hours that a run has taken, over all its tries, by kind."""
    return dict(lines[-1].get("node_hours", {})) if lines else {}


def read_figures(run: Run) -> list[Line]:
    """Read a run's lines, the oldest first; none where there are none yet."""
    if not run.exists(files.METRICS):
        return []
    try:
        return [json.loads(line) for line in run.read(files.METRICS).splitlines()]
    except ValueError:
        place = run.at(files.METRICS)
        raise InputError(f"{place}: {FILE} is damaged: it is not a line of JSON each") from None


def thinned(lines: list[Line], most: int) -> list[Line]:
    """Drop every second line, but never the last, where there are more than `most`."""
    return lines if len(lines) <= most else lines[::-1][::2][::-1]
