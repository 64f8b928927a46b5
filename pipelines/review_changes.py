"""What a new head would change in the labels table, by the kept embeddings."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.backfill.score_unit import Scorer
from lib.embeddings.index import PlacedReader, streamed_places
from lib.embeddings.store import EmbeddingStore
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb, read_rows, streamed

DECIDED = pa.schema([("category_id", pa.string()), ("decision", pa.string())])
COLUMNS = ("item_id", "uri", "etag", "category_id", "decision", "name")
SETTLED = f"'{Decision.ERROR}', '{Decision.PERSON}'"
# what has no place keeps its label: an error, a person's, or one without an embedding
PLACED = f"""
    SELECT l.category_id, l.name,
        CASE WHEN a.item_id IS NULL THEN l.decision ELSE '{Decision.PERSON}' END AS decision,
        CASE WHEN a.item_id IS NULL AND l.decision NOT IN ({SETTLED}) THEN s.place
            END AS place
    FROM labels l
    LEFT JOIN answers a ON a.item_id = l.item_id AND a.image = coalesce(l.etag, l.uri)
    LEFT JOIN (SELECT uri, etag, min(place) AS place FROM stored GROUP BY uri, etag) s
        ON s.uri = l.uri AND s.etag IS NOT DISTINCT FROM l.etag
    ORDER BY place NULLS LAST"""  # noqa: S608  # our own words


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What would become of the rows of a labels table.

    Attributes:
        rows: of the table.
        moved: rows by category before and after, where these differ; the most come first.
        before: rows by decision, with the answers of people in.
        after: the same, by the new head.
        without_embedding: rows that would have to be classified from their images.
    """

    rows: int
    moved: tuple[tuple[str | None, str | None, int], ...]
    before: dict[str, int]
    after: dict[str, int]
    without_embedding: int

    @property
    def count(self) -> int:
        """Rows whose category would change."""
        return sum(rows for _, _, rows in self.moved)

    @property
    def sentences(self) -> list[str]:
        """Say it to a person."""
        decisions = ", ".join(
            f"{name} {self.before.get(name, 0):,} to {self.after.get(name, 0):,}"
            for name in sorted({*self.before, *self.after})
        )
        said = [
            f"{self.count:,} of {self.rows:,} rows would change their category",
            f"decisions: {decisions}",
        ]
        if self.without_embedding:
            said.append(f"{self.without_embedding:,} rows have no embedding, and stay as they are")
        return said

    def to_json(self) -> dict[str, Any]:
        """What a program is told of it."""
        return {
            "rows": self.rows,
            "changed": self.count,
            "moved": [{"from": a, "to": b, "rows": rows} for a, b, rows in self.moved],
            "before": self.before,
            "after": self.after,
            "without_embedding": self.without_embedding,
        }


def changes_of(
    labels: LabelsTable, answers: pa.Table, store: EmbeddingStore, scorer: Scorer
) -> Changes:
    """Score all rows of a labels table that a new head would decide on.

    Args:
        labels: the table, at its newest version.
        answers: of `ANNOTATIONS_SCHEMA`, those that stand: their rows stay as they are.
        store: of the backbone's embeddings.
        scorer: the new head.

    Raises:
        InputError: a file of the table or of the store is damaged.
        StoreError: the store does not answer.
    """
    moves: Counter[tuple[str | None, str | None]] = Counter()
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    rows = without = 0
    for batch, decided in _decided(labels, answers, store, scorer):
        rows += batch.num_rows
        kept = batch.filter(pc.is_null(batch["place"]))
        without += sum(
            each not in {Decision.ERROR, Decision.PERSON} for each in kept["decision"].to_pylist()
        )
        before.update(_counts(batch["decision"]))
        after.update(_counts(kept["decision"]))
        after.update(_counts(decided["decision"]))
        pairs = pa.table(
            {
                "was": batch.filter(pc.is_valid(batch["place"]))["category_id"],
                "becomes": decided["category_id"],
            }
        )
        for each in pairs.group_by(["was", "becomes"]).aggregate([([], "count_all")]).to_pylist():
            if each["was"] != each["becomes"]:
                moves[each["was"], each["becomes"]] += each["count_all"]
    return Changes(
        rows=rows,
        moved=tuple((was, becomes, count) for (was, becomes), count in moves.most_common()),
        before=dict(before),
        after=dict(after),
        without_embedding=without,
    )


def _decided(
    labels: LabelsTable, answers: pa.Table, store: EmbeddingStore, scorer: Scorer
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield rows by the place of their embedding, and what is decided on those that have one."""
    files = store.files
    reader = PlacedReader(files, scorer.head.weight.shape[1])
    schema = pa.schema([LABELS_SCHEMA.field(name) for name in COLUMNS])
    keys = zip(answers["etag"].to_pylist(), answers["uri"].to_pylist(), strict=True)
    given = pa.table(
        {"item_id": answers["item_id"], "image": [etag or uri for etag, uri in keys]},
        pa.schema([("item_id", pa.string()), ("image", pa.string())]),
    )
    with (
        open_duckdb() as connection,
        streamed(connection, "labels", schema, labels.batches(None, COLUMNS)),
        streamed_places(connection, files, "stored"),
    ):
        connection.register("answers", given)
        for batch in read_rows(connection, PLACED, {}):
            rows = pa.Table.from_batches([batch])
            placed = rows.filter(pc.is_valid(rows["place"]))
            yield rows, _score(placed, reader, scorer)


def _score(placed: pa.Table, reader: PlacedReader, scorer: Scorer) -> pa.Table:
    """Decide on rows, which are sorted by place, a row group of embeddings at a time."""
    # items of one image share a place, which is read once
    places, back = np.unique(placed["place"].to_numpy(), return_inverse=True)
    found = [DECIDED.empty_table()]
    start = 0
    for block in reader.read(places):
        first, last = np.searchsorted(back, [start, start + len(block)])
        vectors = block[back[first:last] - start]
        names = placed["name"].slice(first, last - first)
        found.append(scorer.score(vectors, names).select(DECIDED.names).cast(DECIDED))
        start += len(block)
    return pa.concat_tables(found)


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {each["values"]: each["counts"] for each in column.value_counts().to_pylist()}
