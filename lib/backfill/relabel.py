"""Relabelling by rule: rows whose category, and all that they were unsure between, map for certain.

Neither pixels nor embeddings are read: what the old labels say is carried over.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.labels.decisions import TOP_K, Decider, Decision
from lib.taxonomy.migration import Migration

DECIDED = ("category_id", "category_path", "confidence", "top_k", "decision")


@dataclass(frozen=True)
class Relabeller:
    """Carries rows of the old taxonomy over to the new one."""

    migration: Migration
    decider: Decider

    def is_settled(self, rows: pa.Table) -> pa.ChunkedArray:
        """Say of each row whether the rules settle it; an error stays one under any taxonomy.

        Args:
            rows: of `LABELS_SCHEMA`; category_id, top_k, decision and error are read.
        """
        if not self.migration.by_rule:
            return pc.is_valid(rows["error"])
        ruled = pa.array(self.migration.by_rule, pa.string())
        sure = pc.and_(
            pc.is_in(rows["category_id"], ruled), pc.equal(rows["decision"], Decision.ACCEPT)
        )
        # a row that is unsure goes to the model where one of its candidates does
        candidates = pc.list_flatten(rows["top_k"])
        parents = pc.list_parent_indices(rows["top_k"])
        doubtful = pc.invert(pc.is_in(pc.struct_field(candidates, "category_id"), ruled))
        without = np.ones(rows.num_rows, np.bool_)
        without[parents.filter(doubtful).to_numpy()] = False
        carried = pc.and_(pc.is_valid(rows["category_id"]), pa.array(without))
        return pc.or_(pc.or_(sure, carried), pc.is_valid(rows["error"]))

    def relabel(self, rows: pa.Table) -> pa.Table:
        """Return the rows with what the new taxonomy says of them.

        A category that several become is as sure as they were together. Candidates that have no
        certain place in the new taxonomy leave the list.

        Args:
            rows: of `LABELS_SCHEMA`, all settled by rule.
        """
        labelled = pc.is_valid(rows["category_id"])
        some = rows.filter(labelled)
        decided = self._carry(some, self.decider.decide_among(*self._candidates(some["top_k"])))
        place = pc.subtract(pc.cumulative_sum(labelled.cast(pa.int64())), 1)
        index = pc.if_else(labelled, place, pa.scalar(None, pa.int64()))
        for name in DECIDED:
            column = decided[name].take(index)
            if name == "decision":
                column = pc.fill_null(column, Decision.ERROR)
            rows = rows.set_column(rows.schema.get_field_index(name), rows.field(name), column)
        return rows

    def _candidates(self, top_k: pa.ChunkedArray) -> tuple[Any, Any]:
        """Return columns of new leaves, int64 [n, k], and their probabilities, float32 [n, k]."""
        lists = top_k.combine_chunks()
        pairs = pc.list_flatten(lists)
        names = pc.struct_field(pairs, "category_id").dictionary_encode()
        column = {leaf: index for index, leaf in enumerate(self.decider.category_ids)}
        certain = self.migration.certain
        known = [column.get(certain.get(old, ""), -1) for old in names.dictionary.to_pylist()]
        rows = pc.list_parent_indices(lists).to_numpy()
        starts = np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())[:-1]])
        slots = np.arange(len(rows)) - starts[rows]
        order = np.full((len(lists), TOP_K), -1, np.int64)
        values = np.zeros((len(lists), TOP_K), np.float32)
        order[rows, slots] = np.array(known, np.int64)[names.indices.to_numpy()]
        values[rows, slots] = pc.struct_field(pairs, "probability").to_numpy()
        for later in range(1, TOP_K):
            for earlier in range(later):
                same = (order[:, later] == order[:, earlier]) & (order[:, later] >= 0)
                values[same, earlier] += values[same, later]
                order[same, later] = -1
        values[order < 0] = 0
        best = np.lexsort((order < 0, -values), axis=1)
        sums = np.take_along_axis(values, best, axis=1)
        return np.take_along_axis(order, best, axis=1), np.minimum(sums, np.float32(1))

    def _carry(self, rows: pa.Table, decided: pa.Table) -> pa.Table:
        """Keep a row as sure as it was: the list of candidates may lack a part of its sum."""
        heirs = self.migration.heirs
        names = rows["category_id"].combine_chunks().dictionary_encode()
        by_name = [heirs.get(name) for name in names.dictionary.to_pylist()]
        heir = pa.array(by_name, pa.string()).take(names.indices)
        was_sure = pc.not_equal(rows["decision"], Decision.REVIEW)
        lost = pc.and_(was_sure, pc.equal(decided["decision"], Decision.REVIEW))
        keep = pc.and_(lost, pc.is_valid(heir))
        new = self.migration.new
        leaves = pa.array(new.leaves, pa.string())
        paths = pa.array([new.path(n) if n else None for n in by_name], pa.string())
        kind = pc.if_else(pc.is_in(heir, leaves), Decision.ACCEPT, Decision.PARENT)
        kept = {
            "category_id": heir,
            "category_path": paths.take(names.indices),
            "confidence": rows["confidence"],
            "decision": kind,
        }
        for name, column in kept.items():
            place = decided.schema.get_field_index(name)
            decided = decided.set_column(place, name, pc.if_else(keep, column, decided[name]))
        return decided
