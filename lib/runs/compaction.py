"""Compaction: many small unit shards into few large parts, checked row by row on the way."""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.config.config import Config
from lib.errors import ReshelveError
from lib.hashing import digest_bytes
from lib.labels.decisions import Decision
from lib.runs import files
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt, Totals, add_up
from lib.runs.run import Run
from lib.runs.shards import read_shards
from lib.schemas import LABELS_SCHEMA

MAX_PART_ROWS = 1_000_000
MAX_PART_BYTES = 128 * 2**20


class Part(Config):
    """One file of a run's labels; `path` is relative to the run folder."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


def compact(
    run: Run,
    plan: Plan,
    into: Run | None = None,
    first: int = 0,
    settle: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> tuple[list[Part], Totals]:
    """Write the labels of a run whose units all have their shard, and add up their receipts.

    Args:
        run: whose shards they are.
        plan: the run's plan.
        into: the run that the parts belong to, where it is another.
        first: number of the first part.
        settle: sees the rows of each unit, and has the last word on them.

    Raises:
        ReshelveError: the rows are not exactly the planned items, each a label or an error.
    """
    receipts: list[Receipt] = []

    def checked() -> Iterator[pa.Table]:
        shards = read_shards(run, plan.units)
        for unit, (receipt, rows) in zip(plan.units, shards, strict=True):
            check_rows(plan.read_ids(unit), rows, unit)
            settled = settle(rows)
            receipts.append(receipt if settled is rows else _counted_again(receipt, settled))
            yield settled

    parts = write_parts(into or run, checked(), first)
    totals = add_up(receipts)
    rows = sum(part.rows for part in parts)
    if not plan.items == rows == totals.labelled + totals.error_count:
        raise ReshelveError(f"{run.uri}: rows were lost or added; the run is not published")
    return parts, totals


def part_path(number: int) -> str:
    """Path of a part, relative to the run folder."""
    return f"{files.LABELS}/part-{number:05d}.parquet"


def finished_parts(run: Run, plan: Plan) -> list[int]:
    """Units of a plan that are written as parts at once, and whose part is there, in order."""
    names = run.names(files.LABELS)
    return [unit for unit in plan.units if part_path(unit).rpartition("/")[2] in names]


def write_parts(run: Run, tables: Iterable[pa.Table], first: int = 0) -> list[Part]:
    """Write tables of labels, in order, into parts of a million rows or 128 MB.

    The first of them gets the number `first`.
    """
    parts: list[Part] = []
    remaining = iter(tables)
    while (data := _fill_part(remaining)) is not None:
        rows, content = data
        path = part_path(first + len(parts))
        run.write(path, content)
        parts.append(describe_part(path, rows, content))
    return parts


def describe_part(path: str, rows: int, content: bytes) -> Part:
    """Say of a part what its manifest says."""
    return Part(path=path, rows=rows, size_bytes=len(content), sha256=digest_bytes(content))


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
    """Compare a unit's rows with its plan: each item exactly once, a label or an error.

    An item that a person has found to be in no category is neither.

    Raises:
        ReshelveError: they are not.
    """
    if not rows["item_id"].equals(planned):
        raise ReshelveError(f"unit {unit}: its rows are not the planned items; remove its shard")
    one_of_both = pc.xor(pc.is_valid(rows["error"]), pc.is_valid(rows["category_id"]))
    rejected = pc.and_(pc.equal(rows["decision"], Decision.PERSON), pc.is_null(rows["error"]))
    if not pc.all(pc.or_(one_of_both, rejected)).as_py():
        raise ReshelveError(f"unit {unit}: a row is neither a label nor an error; remove its shard")


def _counted_again(receipt: Receipt, rows: pa.Table) -> Receipt:
    errors = Counter(rows["error"].drop_null().to_pylist())
    return receipt.model_copy(
        update={
            "labelled": rows.num_rows - errors.total(),
            "errors": dict(errors),
            "decisions": dict(Counter(rows["decision"].to_pylist())),
        }
    )
