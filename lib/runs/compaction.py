"""Compaction: many small unit shards into few large parts, checked row by row on the way."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.config.config import Config
from lib.errors import ReshelveError
from lib.hashing import digest_bytes
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt, Totals, add_up
from lib.runs.shards import read_shards
from lib.schemas import LABELS_SCHEMA
from lib.storage.storage import Storage
from lib.storage.uris import join

MAX_PART_ROWS = 1_000_000
MAX_PART_BYTES = 128 * 2**20


class Part(Config):
    """One file of a run's labels; `path` is relative to the run folder."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


def compact(
    run_uri: str, storage: Storage, plan: Plan, into: str | None = None, first: int = 0
) -> tuple[list[Part], Totals]:
    """Write the labels of a run whose units all have their shard, and add up their receipts.

    Args:
        run_uri: the folder that the shards lie in.
        storage: how to reach it.
        plan: whose units they are.
        into: the run folder that the parts are written to, where it is another.
        first: number of the first part.

    Raises:
        ReshelveError: the rows are not exactly the planned items, each a label or an error.
    """
    receipts: list[Receipt] = []

    def checked() -> Iterator[pa.Table]:
        shards = read_shards(run_uri, storage, plan.units)
        for unit, (receipt, rows) in zip(plan.units, shards, strict=True):
            check_rows(plan.read_ids(unit), rows, unit)
            receipts.append(receipt)
            yield rows

    parts = write_parts(into or run_uri, storage, checked(), first)
    totals = add_up(receipts)
    rows = sum(part.rows for part in parts)
    if not plan.items == rows == totals.labelled + totals.error_count:
        raise ReshelveError(f"{run_uri}: rows were lost or added; the run is not published")
    return parts, totals


def part_path(number: int) -> str:
    """Path of a part, relative to the run folder."""
    return f"labels/part-{number:05d}.parquet"


def write_parts(
    run_uri: str, storage: Storage, tables: Iterable[pa.Table], first: int = 0
) -> list[Part]:
    """Write tables of labels, in order, into parts of a million rows or 128 MB.

    The first of them gets the number `first`.
    """
    parts: list[Part] = []
    remaining = iter(tables)
    while (data := _fill_part(remaining)) is not None:
        rows, content = data
        path = part_path(first + len(parts))
        storage.write(join(run_uri, path), content)
        digest = digest_bytes(content)
        parts.append(Part(path=path, rows=rows, size_bytes=len(content), sha256=digest))
    return parts


def _fill_part(tables: Iterator[pa.Table]) -> tuple[int, bytes] | None:
    buffer = io.BytesIO()
    rows = 0
    with parquet.ParquetWriter(buffer, LABELS_SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
            if rows >= MAX_PART_ROWS or buffer.tell() >= MAX_PART_BYTES:
                break
    return (rows, buffer.getvalue()) if rows else None


def check_rows(planned: pa.ChunkedArray, rows: pa.Table, unit: int) -> None:
    """Hold a unit's rows against its plan: each item exactly once, a label or an error.

    Raises:
        ReshelveError: they are not.
    """
    if not rows["item_id"].equals(planned):
        raise ReshelveError(f"unit {unit}: its rows are not the planned items; remove its shard")
    one_of_both = pc.xor(pc.is_valid(rows["error"]), pc.is_valid(rows["category_id"]))
    if not pc.all(one_of_both).as_py():
        raise ReshelveError(f"unit {unit}: a row is neither a label nor an error; remove its shard")
