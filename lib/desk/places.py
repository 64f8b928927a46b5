"""What sheets are found by, of all items: columns in memory, as people's answers leave them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute

from lib.labels.decisions import Decision

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Counts = Mapping[tuple[str | None, str], int]  # by category and decision
Totals = Mapping[str | None, int]  # by category, with those below it
CODES: Final = {str(decision): code for code, decision in enumerate(Decision)}
UNKNOWN: Final = -1  # the code of what no item has


class Places:
    """The items of a version, each at its place: its row, from 0.

    Attributes:
        ids: of the items.
        decision: int8 [n], `CODES` of what became of each, as it is shown.
        confidence: float32 [n], NaN for none.
        classified_at: int64 [n], microseconds since 1970.
        run: int32 [n], codes of runs.
        error: int32 [n], codes of reasons.
        counts: of items by category and decision, as they are shown; another one after each change.
    """

    def __init__(self, columns: pa.Table) -> None:
        """Take the columns in.

        Args:
            columns: of the labels, in the order of the places; `classified_at` in microseconds.
        """
        self.ids = columns["item_id"].cast(pa.large_string()).combine_chunks()
        self.confidence = columns["confidence"].to_numpy()
        self.classified_at = columns["classified_at"].to_numpy()
        self.run, self._runs = _coded(columns["run_id"])
        self.error, self._errors = _coded(columns["error"])
        self._labelled, self._categories = _coded(columns["category_id"])
        self._category = self._labelled.copy()
        known = pa.array(list(CODES), pa.string())
        found = compute.index_in(columns["decision"], known).fill_null(UNKNOWN)
        self.decision = found.to_numpy().astype(np.int8)
        self._sorted = np.argsort(self._labelled, kind="stable").astype(np.int32)
        sizes = np.bincount(self._labelled, minlength=len(self._categories))
        self._ends = np.concatenate([[0], np.cumsum(sizes)])
        self._moved = np.zeros(
            0, np.int64
        )  # places that were shown as something else than labelled
        self.counts = self._counted()

    def show(self, shown: Iterable[tuple[int, str | None, str]]) -> None:
        """Take in what items are shown as from now on; one thread at a time may do so.

        Args:
            shown: place, category and decision of each.
        """
        counts, names = Counter(self.counts), list(self._categories)
        decisions, moved = list(CODES), []
        for place, category_id, decision in shown:
            counts[names[self._category[place]], decisions[self.decision[place]]] -= 1
            counts[category_id, decision] += 1
            if category_id not in self._categories:
                self._categories[category_id] = len(names)
                names.append(category_id)
            self._category[place] = self._categories[category_id]
            self.decision[place] = CODES[decision]
            moved.append(place)
        # those that went back stay among them: what is sought is compared again
        self._moved, self.counts = np.union1d(self._moved, moved).astype(np.int64), counts

    def of_categories(self, category_ids: Iterable[str]) -> Ints:
        """Return the places of the items that are shown in some categories, in any order."""
        codes = [self._categories[each] for each in category_ids if each in self._categories]
        ends, moved = self._ends, self._moved
        inside = [
            self._sorted[ends[code] : ends[code + 1]] for code in codes if code + 1 < len(ends)
        ]
        came = moved[~np.isin(self._labelled[moved], codes)]
        found = np.concatenate([*inside, came]).astype(np.int64)
        return found[np.isin(self._category[found], codes)]

    def code_of_run(self, run_id: str) -> int:
        """Return the code of a run; `UNKNOWN` where no item is of it."""
        return self._runs.get(run_id, UNKNOWN)

    def code_of_error(self, error: str) -> int:
        """Return the code of a reason; `UNKNOWN` where no item has it."""
        return self._errors.get(error, UNKNOWN)

    @cached_property
    def rank(self) -> Ints:
        """Where each item stands in the order of the ids; int64 [n]."""
        found = np.empty(len(self.ids), np.int64)
        found[compute.sort_indices(self.ids).to_numpy()] = np.arange(len(self.ids))
        return found

    def ids_at(self, places: Ints) -> list[str]:
        """Return the ids of the items at some places."""
        found: list[str] = self.ids.take(pa.array(places)).to_pylist()
        return found

    def _counted(self) -> Counts:
        both = self._category.astype(np.int64) * len(CODES) + self.decision
        names, decisions = list(self._categories), list(CODES)
        codes, items = np.unique(both, return_counts=True)
        return Counter(
            {
                (names[code // len(CODES)], decisions[code % len(CODES)]): count
                for code, count in zip(codes.tolist(), items.tolist(), strict=True)
            }
        )


def _coded(
    column: pa.ChunkedArray,
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], dict[str | None, int]]:
    """Return the code of each value, int32 [n], and the codes by value; 0 is that of none."""
    encoded = column.dictionary_encode().combine_chunks()
    codes = encoded.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False) + 1
    values: dict[str | None, int] = {None: 0}
    values |= {value: code + 1 for code, value in enumerate(encoded.dictionary.to_pylist())}
    return codes.astype(np.int32), values
