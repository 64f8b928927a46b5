"""What a migration lets one expect of each row, so that gates measure only what it does not."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from lib.taxonomy.migration import Migration

EXPECTED = """COPY (
    SELECT b.item_id, b.category_path, CASE
        WHEN b.category_id IS NULL THEN NULL
        WHEN a.category_id IS NOT NULL OR l.category_id IS NULL OR l.decision = 'person'
            THEN l.category_id
        ELSE b.category_id END AS category_id
    FROM read_parquet($before) b LEFT JOIN read_parquet($rows) l USING (item_id)
    LEFT JOIN allowed a ON a.was = b.category_id AND a.category_id = l.category_id
) TO '{target}' (FORMAT parquet)"""


def write_expected(
    connection: duckdb.DuckDBPyConnection,
    migration: Migration,
    before: Path,
    rows: Sequence[Path],
    target: Path,
) -> None:
    """Write what the table's rows were, each with the new category if the migration allows it.

    A row that lands elsewhere keeps its old category: to the gates, it has changed, unless a
    person has said so.

    Args:
        connection: does the work, in bounded memory.
        migration: from the table's taxonomy to the run's.
        before: item_id, category_id and category_path of the table's rows.
        rows: the run's labels.
        target: the same columns as `before`.
    """
    pairs = [(was, new) for was, news in migration.allowed.items() for new in sorted(news)]
    columns = [pa.array(column, pa.string()) for column in zip(*pairs, strict=True)]
    connection.register("allowed", pa.table(columns, names=["was", "category_id"]))
    values = {"before": str(before), "rows": [str(path) for path in rows]}
    connection.execute(EXPECTED.format(target=target), values)
