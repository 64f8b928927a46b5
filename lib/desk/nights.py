"""How many items each category had in the last versions of the table, counted in the background."""

import threading
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from lib.desk.places import Counts, Totals
from lib.desk.tree import totals
from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.labels.history import standing
from lib.taxonomy.taxonomy import Taxonomy

NIGHTS = 14
COMMITS = 60  # how far back they are looked for
COLUMNS = ("category_id", "decision")


class Nights:
    """Counts of the versions that nights and backfills made and that still stand."""

    def __init__(self, labels: LabelsTable) -> None:
        """Count nothing yet: it begins when a page first asks."""
        self._labels = labels
        self._found: dict[int, Counts] = {}
        self._shown: list[Counts] = []
        self._totals: tuple[Sequence[Counts], str, list[Totals]] = ((), "", [])
        self._of: int | None = None
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def before(self, version: int) -> Sequence[Counts]:
        """Return the counts of the versions up to one, the oldest first, as far as they are known.

        They are empty until all have been counted; who asks again sees them.
        """
        with self._lock:
            if self._of != version and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(
                    target=self._count, args=[version], name="nights", daemon=True
                )
                self._thread.start()
            return self._shown

    def totals(self, version: int, taxonomy: Taxonomy) -> Sequence[Totals]:
        """Return the same as totals of the categories of a taxonomy, added up once."""
        counts, (of, digest, found) = self.before(version), self._totals
        if counts is not of or taxonomy.digest != digest:
            found = [totals(taxonomy, each) for each in counts]
            self._totals = (counts, taxonomy.digest, found)
        return found

    def wait(self) -> None:
        """Wait until what was asked for is counted."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Stop counting."""
        self._ends.set()
        self.wait()

    def _count(self, version: int) -> None:
        found: dict[int, Counts] = {}
        try:
            for each in standing(self._labels.history(COMMITS)):
                if self._ends.is_set() or len(found) == NIGHTS:
                    break
                if each.number <= version and each.made.run_id:
                    known = self._found.get(each.number)
                    found[each.number] = known or self._read(each.number)
        except InputError:  # the files of earlier versions were removed, or a store is away
            pass
        with self._lock:
            self._found, self._of = found, version
            self._shown = [found[number] for number in sorted(found)]

    def _read(self, version: int) -> Counts:
        counted = Counter[tuple[str | None, str]]()
        for batch in self._labels.batches(version, COLUMNS):
            groups = (
                pa.Table.from_batches([batch])
                .group_by(list(COLUMNS))
                .aggregate([([], "count_all")])
            )
            for row in groups.to_pylist():
                counted[row["category_id"], row["decision"]] += row["count_all"]
        return counted
