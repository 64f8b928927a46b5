"""Unit shards: one Parquet file a unit, its receipt inside, written in one step."""

import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
from pyarrow import parquet

from lib.runs.receipt import Receipt
from lib.schemas import LABELS_SCHEMA
from lib.storage.storage import Storage
from lib.storage.uris import join

FOLDER = "shards"
RECEIPT_KEY = b"reshelve.receipt"
READERS = 16


def shard_uri(run_uri: str, unit: int) -> str:
    """URI of a unit's shard: it follows from the unit alone."""
    return join(run_uri, FOLDER, f"unit-{unit:07d}.parquet")


def finished_units(run_uri: str, storage: Storage) -> list[int]:
    """Units whose shard is there, in order."""
    names = storage.names(join(run_uri, FOLDER))
    return sorted(
        int(name.removeprefix("unit-").removesuffix(".parquet"))
        for name in names
        if name.startswith("unit-") and name.endswith(".parquet")
    )


def write_shard(run_uri: str, storage: Storage, rows: pa.Table, receipt: Receipt) -> None:
    """Write a unit's rows and receipt with one atomic PUT; a retry writes the same rows."""
    metadata = {RECEIPT_KEY: receipt.model_dump_json().encode()}
    storage.write(
        shard_uri(run_uri, receipt.unit), to_parquet(rows.replace_schema_metadata(metadata))
    )


def read_receipt(run_uri: str, storage: Storage, unit: int) -> Receipt | None:
    """Read the receipt of a unit, or None where it has no shard yet."""
    uri = shard_uri(run_uri, unit)
    if not storage.exists(uri):
        return None
    schema = parquet.read_schema(pa.BufferReader(storage.read(uri)))
    return Receipt.model_validate_json(schema.metadata[RECEIPT_KEY])


def read_shards(
    run_uri: str, storage: Storage, units: Iterable[int]
) -> Iterator[tuple[Receipt, pa.Table]]:
    """Read shards in the order of `units`, some ahead of the consumer."""

    def read(unit: int) -> tuple[Receipt, pa.Table]:
        table = parquet.read_table(pa.BufferReader(storage.read(shard_uri(run_uri, unit))))
        receipt = Receipt.model_validate_json(table.schema.metadata[RECEIPT_KEY])
        return receipt, table.replace_schema_metadata(None).cast(LABELS_SCHEMA)

    ahead: deque[Future[tuple[Receipt, pa.Table]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for unit in units:
            ahead.append(pool.submit(read, unit))
            if len(ahead) > READERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def to_parquet(table: pa.Table, row_group_size: int | None = None) -> bytes:
    """Serialise a table, keeping its schema and metadata."""
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd", row_group_size=row_group_size)
    return buffer.getvalue()
