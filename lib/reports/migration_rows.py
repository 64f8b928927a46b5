"""What a backfill's report shows of its rows, found in DuckDB's bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from lib.reports.classification_rows import BINS, SHEET_ITEMS, SHEETS
from lib.reports.data import CategoryCount
from lib.reports.migration_data import Flow
from lib.reports.migration_reasons import reason_of
from lib.sql import read_rows
from lib.taxonomy.migration import Migration

Row = dict[str, Any]
REVIEW_ITEMS = 24
JOINED = """CREATE TEMP TABLE moved AS
    SELECT l.item_id, l.uri, l.etag, b.category_id AS was, b.category_path AS was_path,
           l.category_id, l.category_path, l.confidence, l.decision, l.top_k,
           l.top_k[1].category_id AS best
    FROM read_parquet($rows) l JOIN read_parquet($before) b USING (item_id)
    WHERE l.category_id IS NOT NULL"""
# of the model in its own labels
CONFIDENCE = "coalesce(avg(confidence) FILTER (decision <> 'person'), 'nan'::FLOAT)"
FLOWS = f"""
    SELECT was_path, category_path, any_value(was) AS was,
           any_value(category_id) AS becomes, {CONFIDENCE} AS confidence,
           count(*) FILTER (decision = 'accept') AS accepted,
           count(*) FILTER (decision = 'parent') AS parent,
           count(*) FILTER (decision = 'review') AS review,
           count(*) FILTER (decision = 'person') AS person
    FROM moved GROUP BY ALL ORDER BY count(*) DESC, was_path, category_path"""  # noqa: S608  # our own words
CATEGORIES = f"""
    SELECT category_id, category_path AS path, {CONFIDENCE} AS mean_confidence,
           count(*) FILTER (decision = 'accept') AS accepted,
           count(*) FILTER (decision = 'parent') AS parent,
           count(*) FILTER (decision = 'review') AS review,
           count(*) FILTER (decision = 'person') AS person
    FROM moved GROUP BY ALL ORDER BY count(*) DESC, category_id"""  # noqa: S608  # as above
SAMPLES = """
    SELECT item_id, uri, was, was_path, category_id, category_path, confidence, decision, top_k,
           items FROM (
        SELECT *, count(*) OVER flow AS items,
               row_number() OVER (PARTITION BY was, category_id ORDER BY hash(item_id)) AS place
        FROM moved WHERE was IS DISTINCT FROM category_id AND decision <> 'review'
        WINDOW flow AS (PARTITION BY was, category_id)
    ) WHERE place <= $most ORDER BY items DESC, was, category_path, place"""
REVIEW = """
    SELECT item_id, uri, was_path, category_id, category_path, confidence, decision, top_k
    FROM moved
    WHERE decision = 'review' ORDER BY confidence, item_id LIMIT $most"""
HISTOGRAM = """
    SELECT least(floor(confidence * $bins), $bins - 1)::INT AS bin, count(*)
    FROM moved WHERE decision <> 'person' GROUP BY 1"""
KNOWN = """
    SELECT k.category_id, m.best FROM moved m JOIN read_parquet($held_out) k
    ON m.uri = k.uri AND m.etag IS NOT DISTINCT FROM k.etag WHERE m.best IS NOT NULL"""


@dataclass(frozen=True)
class BackfillRows:
    """Counts and samples of a backfill's rows.

    Attributes:
        flows: rows by old and new category, the largest first.
        categories: rows by new category, the largest first.
        samples: of the largest flows between categories, a few rows each; the model's come first.
        review: the least sure of the rows for review.
        histogram: rows by confidence.
        known: true and predicted leaf of the rows whose label is known and was held out.
    """

    flows: list[Flow]
    categories: list[CategoryCount]
    samples: dict[tuple[str, str], list[Row]]
    review: list[Row]
    histogram: list[int]
    known: list[tuple[str, str]]


def look_at(
    connection: duckdb.DuckDBPyConnection,
    migration: Migration,
    before: Path,
    rows: Sequence[Path],
    held_out: Path | None,
) -> BackfillRows:
    """Find what the report shows.

    Args:
        connection: does the work.
        migration: from the old taxonomy to the new.
        before: item_id, category_id and category_path of the table's rows.
        rows: the run's labels.
        held_out: uri, etag and true category_id of held-out items, or None.
    """
    connection.execute(JOINED, {"rows": [str(each) for each in rows], "before": str(before)})

    def found(query: str, **values: object) -> list[Row]:
        every: list[Row] = read_rows(connection, query, values).read_all().to_pylist()
        return every

    samples: dict[tuple[str, str], list[Row]] = {}
    for row in found(SAMPLES, most=SHEET_ITEMS):
        samples.setdefault((row["was_path"], row["category_path"]), []).append(row)
    # what a rule moves is as expected; what the model has told apart is worth a look
    order = sorted(samples, key=lambda flow: samples[flow][0]["was"] in migration.settled)
    counts = dict(connection.execute(HISTOGRAM, {"bins": BINS}).fetchall())
    known = found(KNOWN, held_out=str(held_out)) if held_out else []
    return BackfillRows(
        flows=[_flow(row, migration) for row in found(FLOWS)],
        categories=[CategoryCount(**row) for row in found(CATEGORIES)],
        samples={flow: samples[flow] for flow in order[:SHEETS]},
        review=found(REVIEW, most=REVIEW_ITEMS),
        histogram=[counts.get(number, 0) for number in range(BINS)],
        known=[(row["category_id"], row["best"]) for row in known],
    )


def _flow(row: Row, migration: Migration) -> Flow:
    by_rule, same_path = row["was"] in migration.settled, row["was_path"] == row["category_path"]
    stays = by_rule and same_path
    return Flow(
        was=row["was_path"],
        becomes=row["category_path"],
        kind="moved" if row["was"] != row["becomes"] else "unchanged" if stays else "in place",
        why=reason_of(migration, row["was"], row["becomes"], same_path=same_path),
        accepted=row["accepted"],
        parent=row["parent"],
        review=row["review"],
        person=row["person"],
        by_rule=by_rule,
        confidence=row["confidence"],
    )
