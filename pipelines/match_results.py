"""What a match leaves: its pairs, one row for each left item, and its clusters."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.batches import regroup
from lib.errors import ReshelveError
from lib.hashing import digest_bytes
from lib.matching.bands import Band
from lib.matching.clusters import Node, cluster
from lib.matching.tables import CLUSTERS_SCHEMA, ITEMS_SCHEMA, PAIRS_SCHEMA, UNIT_SCHEMA
from lib.runs import files
from lib.runs.compaction import Part
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt, Totals, add_up
from lib.runs.run import Run
from lib.runs.shards import receipt_of, shard_name
from lib.sql import open_duckdb, read_rows
from pipelines.match_sides import Sides

GROUP_ROWS = 100_000
# of one catalog a pair is found from both its ends; the ends in order are one pair
ONCE = """
    SELECT * REPLACE (least(left_id, right_id) AS left_id, greatest(left_id, right_id) AS right_id)
    FROM read_parquet($pairs)
    QUALIFY row_number() OVER (
        PARTITION BY least(left_id, right_id), greatest(left_id, right_id) ORDER BY left_id) = 1
    ORDER BY left_id, final_score DESC, right_id"""
SAME = """
    SELECT left_id, right_id, final_score FROM read_parquet($pairs) WHERE band = 'same'
    ORDER BY left_id, right_id"""


@dataclass(frozen=True)
class Results:
    """The files of a run, and what they hold."""

    parts: tuple[Part, ...]
    totals: Totals


def write_results(run: Run, plan: Plan, sides: Sides) -> Results:
    """Write the files of a run whose units all have their shard.

    Raises:
        ReshelveError: the rows are not exactly the planned items.
    """
    with tempfile.TemporaryDirectory(prefix="reshelve-") as folder:
        local = {name: Path(folder) / name for name in (files.PAIRS, files.MATCHES, files.CLUSTERS)}
        totals = _write_rows(run, plan, local[files.PAIRS], local[files.MATCHES])
        if sides.matcher.within_one:
            _keep_once(local[files.PAIRS])
        _write_clusters(local[files.PAIRS], local[files.CLUSTERS], sides)
        parts = []
        for name, path in local.items():
            data = path.read_bytes()
            rows = parquet.read_metadata(path).num_rows
            parts.append(
                Part(path=name, rows=rows, size_bytes=len(data), sha256=digest_bytes(data))
            )
            run.storage.upload(path, run.at(name))
    return Results(tuple(parts), totals)


def read_unit(run: Run, unit: int) -> tuple[Receipt, pa.Table]:
    """Read a unit's receipt and rows."""
    data = run.read(f"{files.SHARDS}/{shard_name(unit)}")
    table = parquet.read_table(pa.BufferReader(data))
    return receipt_of(table.schema), table.replace_schema_metadata(None).cast(UNIT_SCHEMA)


def _write_rows(run: Run, plan: Plan, pairs: Path, items: Path) -> Totals:
    receipts = []
    with (
        parquet.ParquetWriter(pairs, PAIRS_SCHEMA, compression="zstd") as pairs_file,
        parquet.ParquetWriter(items, ITEMS_SCHEMA, compression="zstd") as items_file,
    ):
        for unit in plan.units:
            receipt, rows = read_unit(run, unit)
            best = best_of(rows)
            if not best["left_id"].equals(plan.read_ids(unit)):
                raise ReshelveError(
                    f"unit {unit}: its rows are not the planned items; remove its shard"
                )
            receipts.append(receipt)
            found = rows.filter(pc.is_valid(rows["right_id"]))
            pairs_file.write_table(found.select(PAIRS_SCHEMA.names).cast(PAIRS_SCHEMA))
            items_file.write_table(best)
    totals = add_up(receipts)
    if not plan.items == totals.items == totals.labelled + totals.error_count:
        raise ReshelveError(f"{run.uri}: rows were lost or added; the run does not count")
    return totals


def best_of(rows: pa.Table) -> pa.Table:
    """Return a unit's items with their best pair, and the category that their pairs suggest."""
    found: dict[str, dict[str, object]] = {}
    for row in rows.drop_columns(["differs", "image_score", "name_score"]).to_pylist():
        mine = found.setdefault(row["left_id"], row | {"category_id": None, "category_score": None})
        # pairs come the best first: the first that has a category suggests it
        if mine["category_id"] is None and row["category_id"] is not None:
            mine |= {"category_id": row["category_id"], "category_score": row["final_score"]}
    return pa.Table.from_pylist(list(found.values()), ITEMS_SCHEMA)


def _keep_once(pairs: Path) -> None:
    once = pairs.with_suffix(".once")
    with (
        open_duckdb() as connection,
        parquet.ParquetWriter(once, PAIRS_SCHEMA, compression="zstd") as writer,
    ):
        for batch in regroup(read_rows(connection, ONCE, {"pairs": str(pairs)}), GROUP_ROWS):
            writer.write_batch(batch.cast(PAIRS_SCHEMA))
    once.replace(pairs)


def _write_clusters(pairs: Path, clusters: Path, sides: Sides) -> None:
    other = "left" if sides.matcher.within_one else "right"
    with open_duckdb() as connection:
        same = read_rows(connection, SAME, {"pairs": str(pairs)}).read_all()
    edges = list(_edges(same, other))
    found = cluster(edges, lambda pairs: sides.are_same(list(pairs)))
    columns: dict[str, list[object]] = defaultdict(list)
    for number, nodes in enumerate(found):
        for side, item_id in nodes:
            columns["cluster"].append(number)
            columns["side"].append(side)
            columns["item_id"].append(item_id)
    table = pa.table([columns[f.name] for f in CLUSTERS_SCHEMA], schema=CLUSTERS_SCHEMA)
    parquet.write_table(table, clusters, compression="zstd")


def _edges(same: pa.Table, other: str) -> Iterator[tuple[float, Node, Node]]:
    for left_id, right_id, score in zip(*(each.to_pylist() for each in same.columns), strict=True):
        yield score, ("left", left_id), (other, right_id)


def largest_cluster(run: Run) -> int:
    """How many items the largest cluster of a run has; 0 where there is none."""
    numbers = run.read_table(files.CLUSTERS)["cluster"]
    return max(pc.value_counts(numbers).field("counts").to_pylist(), default=0)


def band_counts(run: Run) -> dict[str, int]:
    """How many pairs each band has."""
    counted = pc.value_counts(run.read_table(files.PAIRS)["band"])
    found = {each["values"]: each["counts"] for each in counted.to_pylist()}
    return {str(band): found.get(str(band), 0) for band in Band}
