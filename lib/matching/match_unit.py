"""One unit of a match: its items' candidates, scored, and what is kept of them."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lib.matching.bands import Band, Limits
from lib.matching.image_index import ImageIndex
from lib.matching.linear import Doubles
from lib.matching.name_index import NameIndex, Pairs
from lib.matching.name_table import Ints
from lib.matching.near_copies import NearCopies
from lib.matching.scorer import KINDS, Evidence, Scorer, Scores, compare
from lib.matching.side import Side
from lib.matching.tables import UNIT_SCHEMA
from lib.matching.weights import Weights
from lib.reasons import Reason
from lib.runs.receipt import Receipt

Objects = np.ndarray[Any, np.dtype[np.object_]]

NOTHING = "it has neither a title that says anything nor an embedding that is compared"


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """What all units of a match have in common.

    Attributes:
        right: the side that is searched.
        names: its titles, by what they say.
        images: its embeddings.
        weights: of words and grams.
        scorer: weighs pairs.
        limits: of the bands.
        candidates: at most so many by name, and so many by image, for each item.
        within_one: both sides are one catalog, and no item is a pair with itself.
        near_copies: looks at the pictures of alike pairs, or None.
    """

    right: Side
    names: NameIndex
    images: ImageIndex
    weights: Weights
    scorer: Scorer
    limits: Limits
    candidates: int
    within_one: bool
    near_copies: NearCopies | None = None

    def match(self, unit: int, left: Side, first: int) -> tuple[pa.Table, Receipt]:
        """Match a unit's items.

        Args:
            unit: its number.
            left: its items.
            first: the row of the first of them in its catalog.

        Returns:
            Rows of `UNIT_SCHEMA`: for each item those pairs that are the same or to be reviewed,
            and its best one in any case; and the receipt.
        """
        started = time.monotonic()
        rows, columns = self._candidates(left, first)
        evidence = self.compare(left, self.right, rows, columns)
        scores = self.scorer.score(evidence)
        bands = np.array(self.limits.bands(scores.final, evidence.forbids), object)
        kept = _kept(rows, columns, scores.final, bands)
        table = self._table(left, (rows[kept], columns[kept]), _at(scores, kept), bands[kept])
        differs = _differs(evidence, kept, table.num_rows)
        table = table.set_column(6, UNIT_SCHEMA.field("differs"), differs)
        table = _with_lonely(table, left, np.setdiff1d(np.arange(len(left.place)), rows))
        return table, _receipt(unit, table, len(left.place), time.monotonic() - started)

    def compare(self, left: Side, right: Side, rows: Ints, columns: Ints) -> Evidence:
        """As `scorer.compare`, and with the pictures, where they are looked at."""
        evidence = compare(left, right, rows, columns, self.weights)
        if self.near_copies is None:
            return evidence
        uris = left.items["uri"].take(rows), right.items["uri"].take(columns)
        return self.near_copies.mark(evidence, *uris)

    def _candidates(self, left: Side, first: int) -> Pairs:
        count = self.candidates + self.within_one
        there = np.flatnonzero(left.has_image)
        vectors = left.vectors[left.place[there]]
        found = (
            self.names.nearest(left.names, count),
            self.images.nearest(vectors, there, count),
        )
        width = max(len(self.right.place), 1)
        keys = np.unique(np.concatenate([rows * width + columns for rows, columns in found]))
        rows, columns = np.divmod(keys, width)
        if self.within_one:
            others = rows + first != columns
            rows, columns = rows[others], columns[others]
        return rows, columns

    def _table(self, left: Side, pairs: Pairs, scores: Scores, bands: Objects) -> pa.Table:
        rows, columns = pairs
        right = self.right.items.take(columns)
        count = len(rows)
        parts = [
            left.items["item_id"].take(rows),
            right["item_id"],
            *(_column(each) for each in (scores.image, scores.name, scores.final)),
            pa.array(map(str, bands), pa.string()),
            pa.array([[]] * count, pa.list_(pa.string())),
            right["category_id"],
            *[pa.nulls(count, pa.string())] * 2,
        ]
        return pa.table(parts, schema=UNIT_SCHEMA)


def _kept(rows: Ints, columns: Ints, final: Doubles, bands: Objects) -> Ints:
    """Return which pairs are kept, the best of each item first."""
    order = np.lexsort((columns, -final, rows))
    best = np.diff(rows[order], prepend=-1) > 0
    return np.asarray(order[best | (bands[order] != Band.DIFFERENT)], np.int64)


def _at(scores: Scores, places: Ints) -> Scores:
    return Scores(image=scores.image[places], name=scores.name[places], final=scores.final[places])


def _column(scores: Doubles) -> pa.Array:
    return pa.array(scores.astype(np.float32), pa.float32(), mask=np.isnan(scores))


def _differs(evidence: Evidence, kept: Ints, count: int) -> pa.Array:
    said: list[list[str]] = [[] for _ in range(count)]
    for kind in KINDS:
        for place in np.flatnonzero((evidence.differs(kind) & evidence.has_names)[kept]).tolist():
            said[place].append(kind)
    return pa.array(said, pa.list_(pa.string()))


def _with_lonely(table: pa.Table, left: Side, lonely: Ints) -> pa.Table:
    """Add a row for each item that nothing was compared with, in the order of the items."""
    if not len(lonely):
        return table
    bare = ~(left.names.says | left.has_image)[lonely]
    columns = {
        "left_id": left.items["item_id"].take(lonely),
        "band": pa.array([str(Band.DIFFERENT)] * len(lonely)),
        "differs": pa.array([[]] * len(lonely), pa.list_(pa.string())),
        "error": pa.array([str(Reason.NOTHING_TO_COMPARE) if each else None for each in bare]),
        "error_detail": pa.array([NOTHING if each else None for each in bare]),
    }
    rows = [columns.get(f.name, pa.nulls(len(lonely), f.type)) for f in UNIT_SCHEMA]
    both = pa.concat_tables([table, pa.table(rows, schema=UNIT_SCHEMA)])
    ids = both["left_id"].to_numpy()
    return both.take(np.argsort(ids, kind="stable"))


def _receipt(unit: int, table: pa.Table, items: int, seconds: float) -> Receipt:
    best = table.take(_firsts(table["left_id"]))
    errors = Counter(filter(None, best["error"].to_pylist()))
    bands = [
        band
        for band, error in zip(best["band"].to_pylist(), best["error"].to_pylist(), strict=True)
        if error is None
    ]
    return Receipt(
        unit=unit,
        items=items,
        labelled=len(bands),
        errors=dict(errors),
        decisions=dict(Counter(bands)),
        bytes_fetched=0,
        retries=0,
        fetch_s=0.0,
        decode_s=0.0,
        forward_s=seconds,
        seconds=seconds,
        engine="match",
    )


def _firsts(ids: pa.ChunkedArray) -> pa.Array:
    """Return the first row of each item, whose rows stand together."""
    values = ids.to_numpy()
    return pa.array(
        np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])
    )
