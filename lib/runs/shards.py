"""Unit shards: a unit's labels with its receipt, and its embeddings, each written in one step."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
from pyarrow import parquet

from lib.batches import to_parquet
from lib.embeddings import store
from lib.runs import files
from lib.runs.receipt import Receipt
from lib.runs.run import Run
from lib.schemas import as_labels

RECEIPT_KEY = b"reshelve.receipt"
READERS = 16


def shard_name(unit: int) -> str:
    """Name of a unit's shards: it follows from the unit alone."""
    return f"unit-{unit:07d}.parquet"


def finished_units(run: Run) -> list[int]:
    """Units whose labels are there, in order."""
    return sorted(
        int(name.removeprefix("unit-").removesuffix(".parquet"))
        for name in run.names(files.SHARDS)
        if name.startswith("unit-") and name.endswith(".parquet")
    )


def with_receipt(rows: pa.Table, receipt: Receipt) -> bytes:
    """Serialise a unit's rows with its receipt in their metadata."""
    metadata = {RECEIPT_KEY: receipt.model_dump_json().encode()}
    return to_parquet(rows.replace_schema_metadata(metadata))


def receipt_of(schema: pa.Schema) -> Receipt:
    """Read the receipt that `with_receipt` has put beside the columns."""
    return Receipt.model_validate_json(schema.metadata[RECEIPT_KEY])


def write_shard(run: Run, rows: pa.Table, receipt: Receipt) -> None:
    """Write a unit's labels and receipt with one atomic PUT; a retry writes the same rows."""
    run.write(f"{files.SHARDS}/{shard_name(receipt.unit)}", with_receipt(rows, receipt))


def write_embeddings(run: Run, unit: int, rows: pa.Table) -> None:
    """Write a unit's embeddings; before its labels, whose shard says that the unit is done."""
    run.write(f"{files.EMBEDDINGS}/{shard_name(unit)}", store.to_parquet([rows], rows.schema))


def read_receipt(run: Run, unit: int) -> Receipt | None:
    """Read the receipt of a unit, or None where it has no shard yet."""
    name = f"{files.SHARDS}/{shard_name(unit)}"
    if not run.exists(name):
        return None
    return receipt_of(parquet.read_schema(pa.BufferReader(run.read(name))))


def read_shards(run: Run, units: Iterable[int]) -> Iterator[tuple[Receipt, pa.Table]]:
    """Read labels in the order of `units`, some ahead of the consumer."""

    def read(unit: int) -> tuple[Receipt, pa.Table]:
        data = run.read(f"{files.SHARDS}/{shard_name(unit)}")
        table = parquet.read_table(pa.BufferReader(data))
        return receipt_of(table.schema), as_labels(table.replace_schema_metadata(None))

    ahead: deque[Future[tuple[Receipt, pa.Table]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for unit in units:
            ahead.append(pool.submit(read, unit))
            if len(ahead) > READERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def read_embeddings(run: Run, units: Iterable[int]) -> Iterator[pa.Table]:
    """Read the embeddings of units, in order; a unit without any has no shard."""
    written = run.names(files.EMBEDDINGS)
    for name in map(shard_name, units):
        if name in written:
            yield parquet.read_table(pa.BufferReader(run.read(f"{files.EMBEDDINGS}/{name}")))
