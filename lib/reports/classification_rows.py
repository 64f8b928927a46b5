"""Collects what a classification report shows, from the run's parts, one part at a time."""

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.labels.decisions import Decision
from lib.reasons import ErrorItem
from lib.reports.data import CategoryCount

BINS = 20
SHEETS = 12
SHEET_ITEMS = 14
LEAST_SURE = 24
SHOWN = ["item_id", "uri", "category_id", "category_path", "confidence", "top_k", "decision"]
ERROR_ITEMS = 200

Row = dict[str, Any]


@dataclass
class Collected:
    """Counts and samples of a run's rows; of bounded size, however many the rows.

    Attributes:
        counts: by category, id and path.
        histogram: labels by confidence.
        samples: some rows by category and whether they are for review, each with its random key.
        least_sure: of the rows for review.
        errors: the first of them.
        truth: the known labels of items.
        predicted: the best leaf of each of these.
    """

    counts: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    histogram: np.ndarray[Any, np.dtype[np.int64]] = field(
        default_factory=lambda: np.zeros(BINS, np.int64)
    )
    samples: dict[tuple[str, bool], list[tuple[float, str, Row]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    least_sure: list[Row] = field(default_factory=list)
    errors: list[ErrorItem] = field(default_factory=list)
    truth: list[str] = field(default_factory=list)
    predicted: list[str] = field(default_factory=list)

    def add(self, rows: pa.Table, known: pa.Table, seed: int) -> None:
        """Take a part in.

        Args:
            rows: of `LABELS_SCHEMA`.
            known: columns item_id and category_id of the items whose label is known.
            seed: of the sample; the same for the same part.
        """
        labelled = rows.filter(pc.is_valid(rows["category_id"]))
        self._add_errors(rows.filter(pc.is_valid(rows["error"])))
        self._add_counts(labelled)
        self._add_samples(labelled, seed)
        self._add_known(labelled, known)

    @property
    def categories(self) -> list[CategoryCount]:
        """The categories, the largest first."""
        found = [
            CategoryCount(
                category_id=category_id,
                path=path,
                accepted=int(each[Decision.ACCEPT]),
                parent=int(each[Decision.PARENT]),
                review=int(each[Decision.REVIEW]),
                person=int(each[Decision.PERSON]),
                mean_confidence=each["sum"] / each["count"] if each["count"] else math.nan,
            )
            for (category_id, path), each in self.counts.items()
        ]
        return sorted(found, key=lambda c: (-c.items, c.category_id))

    def _add_errors(self, errors: pa.Table) -> None:
        wanted = errors.slice(0, ERROR_ITEMS - len(self.errors))
        for row in wanted.select(["item_id", "uri", "error", "error_detail"]).to_pylist():
            self.errors.append(
                ErrorItem(
                    item_id=row["item_id"],
                    uri=row["uri"],
                    code=row["error"],
                    detail=row["error_detail"],
                )
            )

    def _add_counts(self, labelled: pa.Table) -> None:
        by_model = pc.not_equal(labelled["decision"], Decision.PERSON)
        confidence = labelled["confidence"].filter(by_model).to_numpy()
        self.histogram += np.histogram(confidence, bins=BINS, range=(0, 1))[0]
        groups = labelled.group_by(["category_id", "category_path", "decision"])
        for row in groups.aggregate([("confidence", "sum"), ([], "count_all")]).to_pylist():
            key = (row["category_id"], row["category_path"])
            counts = self.counts.setdefault(key, dict.fromkeys([*Decision, "sum", "count"], 0.0))
            counts[row["decision"]] += row["count_all"]
            if row["decision"] != Decision.PERSON:  # its confidence is in what the model has said
                counts["sum"] += row["confidence_sum"]
                counts["count"] += row["count_all"]

    def sheet(self, category_id: str) -> list[Row]:
        """Return a sample of a category: those for review first, half of it where there are so."""
        doubtful, sure = (
            [row for _, _, row in self.samples.get((category_id, for_review), [])]
            for for_review in (True, False)
        )
        half = max(SHEET_ITEMS // 2, SHEET_ITEMS - len(sure))
        doubtful = doubtful[:half]
        return doubtful + sure[: SHEET_ITEMS - len(doubtful)]

    def _add_samples(self, labelled: pa.Table, seed: int) -> None:
        # a random key a row, then the lowest keys of each category: a fair sample of it
        keys = np.random.default_rng(seed).random(labelled.num_rows)
        shown = labelled.select(SHOWN).append_column("key", pa.array(keys))
        for_review = pc.equal(labelled["decision"], Decision.REVIEW)
        doubtful = shown.filter(for_review)
        order = pc.sort_indices(doubtful, sort_keys=[("confidence", "ascending")])[:LEAST_SURE]
        least_sure = self.least_sure + doubtful.take(order).to_pylist()
        self.least_sure = sorted(least_sure, key=lambda row: row["confidence"])[:LEAST_SURE]
        for some, is_doubtful in ((doubtful, True), (shown.filter(pc.invert(for_review)), False)):
            keyed = some.sort_by([("category_id", "ascending"), ("key", "ascending")])
            groups = keyed.group_by("category_id", use_threads=False)
            offset = 0
            for group in groups.aggregate([([], "count_all")]).to_pylist():
                first = keyed.slice(offset, min(SHEET_ITEMS, group["count_all"])).to_pylist()
                offset += group["count_all"]
                kept = self.samples[group["category_id"], is_doubtful]
                kept += [(row["key"], row["item_id"], row) for row in first]
                self.samples[group["category_id"], is_doubtful] = heapq.nsmallest(SHEET_ITEMS, kept)

    def _add_known(self, labelled: pa.Table, known: pa.Table) -> None:
        index = pc.index_in(labelled["item_id"], known["item_id"].combine_chunks())
        # a person may have decided on an image that no model has seen
        seen = pc.and_(pc.is_valid(index), pc.is_valid(labelled["top_k"]))
        at, index = labelled.filter(seen), index.filter(seen)
        if not at.num_rows:
            return
        self.truth += known["category_id"].take(index).to_pylist()
        best = pc.struct_field(pc.list_element(at["top_k"], 0), "category_id")
        self.predicted += best.to_pylist()
