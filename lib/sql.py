"""DuckDB for what is larger than memory: bounded, with its spill on disk, and off the network."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa

MEMORY_MB = 800
BATCH_ROWS = 100_000
MOST_THREADS = 4  # each takes its share of the memory
SETTINGS: dict[str, str | int | float | list[str]] = {
    "preserve_insertion_order": False,  # queries say which order they need
    # an extension would be fetched from the network
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}


@contextlib.contextmanager
def open_duckdb(
    memory_mb: int = MEMORY_MB, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty database in memory that spills to a temporary folder, removed at the end.

    Args:
        memory_mb: what DuckDB may hold in memory; the folder takes the rest. The folder is made
            where TMPDIR says, which must not be a file system in memory.
        threads: at a time; without it, one per core, up to 4.
    """
    threads = threads or max(1, min(MOST_THREADS, os.cpu_count() or 1))
    with tempfile.TemporaryDirectory(prefix="reshelve-", ignore_cleanup_errors=True) as folder:
        own = {"memory_limit": f"{memory_mb}MB", "temp_directory": folder}
        connection = duckdb.connect(":memory:", config={**SETTINGS, **own, "threads": threads})
        try:
            yield connection
        finally:
            connection.close()


@contextlib.contextmanager
def streamed(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[None]:
    """Make a relation of batches, which can be read once, and raise what they raise.

    DuckDB gives only the text of what goes wrong in a stream, with its traceback.
    """
    failed: list[Exception] = []

    def kept() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except Exception as error:
            failed.append(error)
            raise

    connection.register(name, pa.RecordBatchReader.from_batches(schema, kept()))
    try:
        yield
    except Exception:
        if failed:
            raise failed[0] from None
        raise


def read_rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, object]
) -> pa.RecordBatchReader:
    """Stream the rows of a query with named parameters."""
    return connection.sql(query, params=values).to_arrow_reader(BATCH_ROWS)
