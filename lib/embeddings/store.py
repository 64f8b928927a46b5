"""Embeddings: a backbone's output for each image, kept once, in plain Parquet files.

A store is a folder `<backbone digest>/` of immutable files. Each appears whole, under a name that
follows from the run that makes it, so an append is atomic and a retry writes the same file.
"""

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lib.storage.parquet_reader import ParquetParts
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

if TYPE_CHECKING:
    import duckdb

EMBEDDING, KEY = "embedding", ("uri", "etag")
KEY_SCHEMA = pa.schema(
    [pa.field("uri", pa.string(), nullable=False), pa.field("etag", pa.string())]
)
GROUP_ROWS = 8_192
FILE_BYTES = 128 * 2**20
# read ahead of what is asked for: of a file's embeddings, and of the keys that lie between them
EMBEDDING_BLOCK_BYTES, KEY_BLOCK_BYTES = 4 * 2**20, 256 * 1024
# of `ours`, each key once, what is not in `stored`
NEW = """
    SELECT min(place) AS place FROM ours o WHERE NOT EXISTS (
        SELECT 1 FROM stored s WHERE s.uri = o.uri AND s.etag IS NOT DISTINCT FROM o.etag)
    GROUP BY uri, etag ORDER BY uri, etag NULLS FIRST"""
LARGEST = float(np.finfo(np.float16).max)

Embeddings = np.ndarray[Any, np.dtype[np.float16]]


def as_kept(found: "np.ndarray[Any, np.dtype[np.float32]]") -> Embeddings:
    """Return a backbone's output, float32 [n, d], as it is kept; its size has a limit."""
    kept: Embeddings = np.clip(found, -LARGEST, LARGEST).astype(np.float16)
    return kept


def embeddings_schema(dimensions: int) -> pa.Schema:
    """Columns of a store whose backbone gives so many values.

    An embedding is the bytes of its values, little-endian float16: plain to read anywhere, and 15
    times faster than a list of them (`numpy.frombuffer(value, "<f2")`).
    """
    return KEY_SCHEMA.append(pa.field(EMBEDDING, pa.binary(2 * dimensions), nullable=False))


def to_table(uris: pa.ChunkedArray, etags: pa.ChunkedArray, embeddings: Embeddings) -> pa.Table:
    """Put keys and embeddings, float16 [n, d], into a table of `embeddings_schema(d)`."""
    count, dimensions = embeddings.shape
    values = pa.py_buffer(embeddings.astype("<f2").tobytes())
    packed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(2 * dimensions), count, [None, values], null_count=0
    )
    return pa.table([uris, etags, packed], schema=embeddings_schema(dimensions))


def to_matrix(column: pa.Array) -> Embeddings:
    """View a column `embedding` as float16 [n, d], without a copy."""
    width = column.type.byte_width
    _, values = column.buffers()
    start = column.offset * width
    flat = np.frombuffer(values, "<f2", len(column) * width // 2, start)
    return flat.reshape(len(column), width // 2)


def to_parquet(tables: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """Serialise rows: keys compressed, embeddings as they are, since they hardly get smaller."""
    buffer = io.BytesIO()
    with parquet.ParquetWriter(
        buffer,
        schema,
        compression={"uri": "zstd", "etag": "zstd", EMBEDDING: "none"},
        use_dictionary=False,
        write_statistics=list(KEY),
        write_page_checksum=True,
    ) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=GROUP_ROWS)
    return buffer.getvalue()


def store_file(uri: str, storage: Storage) -> ParquetParts:
    """Return one file of a store."""
    return ParquetParts(uri, storage, EMBEDDING_BLOCK_BYTES)


def width_of(file: ParquetParts) -> int:
    """Return how many values each embedding of a store's file has."""
    width: int = file.schema.field(EMBEDDING).type.byte_width // 2
    return width


def read_key_groups(file: ParquetParts) -> Iterator[pa.RecordBatch]:
    """Stream the keys of a store's file."""
    keys = file.again(KEY_BLOCK_BYTES)
    for group in range(keys.metadata.num_row_groups):
        yield from keys.read(group, KEY).to_batches()


class EmbeddingStore:
    """The embeddings of one backbone."""

    def __init__(self, uri: str, backbone_digest: str, storage: Storage) -> None:
        """Keep the place; nothing is read yet."""
        self.uri = join(absolute(uri), backbone_digest)
        self.storage = storage

    @property
    def names(self) -> list[str]:
        """Names of its files, in their order."""
        names = self.storage.names(self.uri)
        return sorted(n for n in names if n.endswith(".parquet") and not n.startswith("."))

    @property
    def files(self) -> list[ParquetParts]:
        """Its files, in the order of their names."""
        return [store_file(join(self.uri, name), self.storage) for name in self.names]

    def read_keys(self, but_of: str | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the keys of all embeddings, except of the files appended under a name."""
        for file in self.files:
            if but_of is None or name_of(file.uri) != but_of:
                yield from read_key_groups(file)

    def append(self, name: str, tables: Iterable[pa.Table]) -> int:
        """Add the embeddings of a run that the store has not got; return how many.

        Args:
            name: of the run's own, for the files; the same run writes the same ones again.
            tables: of one `embeddings_schema`; one file's worth is held in memory at a time.
        """
        from lib.sql import open_duckdb, streamed  # noqa: PLC0415  # DuckDB, where files are added

        with open_duckdb() as connection:
            with streamed(connection, "keys", KEY_SCHEMA, self.read_keys(name)):
                connection.execute("CREATE TABLE stored AS FROM keys")
            return sum(
                self._write(connection, f"{name}.{number:05d}.parquet", rows)
                for number, rows in enumerate(_by_file(tables))
            )

    def _write(self, connection: "duckdb.DuckDBPyConnection", name: str, rows: pa.Table) -> int:
        """Write a file of those that are not stored yet, sorted by key."""
        from lib.sql import read_rows  # noqa: PLC0415  # as above

        places = pa.array(range(rows.num_rows), pa.int64())
        connection.register("ours", rows.select(KEY).append_column("place", places))
        found = read_rows(connection, NEW, {}).read_all()
        rows = rows.take(found["place"].combine_chunks())
        if rows.num_rows:
            self.storage.write(join(self.uri, name), to_parquet([rows], rows.schema))
            connection.register("written", rows.select(KEY))
            connection.execute("INSERT INTO stored FROM written")
        return int(rows.num_rows)


def _by_file(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put tables together until they are a file's worth."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.nbytes for each in waiting) >= FILE_BYTES:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def name_of(uri: str) -> str:
    """Return the name under which a file of a store was appended."""
    return uri.rsplit("/", 1)[-1][: -len(".00000.parquet")]
