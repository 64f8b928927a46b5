"""Where in a store the embedding of each key lies, and reading embeddings by their places."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lib.embeddings import EMBEDDING, KEY, KEY_SCHEMA, Embeddings, StoreFile, to_matrix
from lib.errors import InputError

FILE_ROWS = 2**32  # a place is the number of its file times this, and the row in it
PLACE = pa.field("place", pa.int64(), nullable=False)

Places = np.ndarray[Any, np.dtype[np.int64]]


def register_places(
    connection: duckdb.DuckDBPyConnection, files: Sequence[StoreFile], name: str
) -> None:
    """Make a relation of the keys of files: uri, etag and place; it can be read once."""
    reader = pa.RecordBatchReader.from_batches(KEY_SCHEMA.append(PLACE), _places(files))
    connection.register(name, reader)


def _places(files: Sequence[StoreFile]) -> Iterator[pa.RecordBatch]:
    for number, file in enumerate(files):
        row = number * FILE_ROWS
        for batch in file.open().iter_batches(columns=list(KEY)):
            places = np.arange(row, row + batch.num_rows)
            row += batch.num_rows
            columns = [*batch.columns, pa.array(places)]
            yield pa.RecordBatch.from_arrays(columns, schema=KEY_SCHEMA.append(PLACE))


class PlacedReader:
    """Reads embeddings by their places, a row group at a time; keeps files open."""

    def __init__(self, files: Sequence[StoreFile], dimensions: int) -> None:
        """Keep the files, in the order that the places count them."""
        self._files, self._dimensions = files, dimensions
        self._open: dict[int, parquet.ParquetFile] = {}

    def read(self, places: Places) -> Iterator[Embeddings]:
        """Yield embeddings, float16 [m, d], in the order of `places`, which ascend.

        Raises:
            InputError: a file holds embeddings of another length.
        """
        numbers = places // FILE_ROWS
        for number in np.unique(numbers):
            rows = places[numbers == number] % FILE_ROWS
            file = self._opened(int(number))
            ends = np.cumsum(
                [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
            )
            groups = np.searchsorted(ends, rows, side="right")
            for group in np.unique(groups):
                inside = rows[groups == group] - (ends[group - 1] if group else 0)
                column = file.read_row_group(int(group), [EMBEDDING], use_threads=False)[EMBEDDING]
                yield self._take(to_matrix(column.combine_chunks()), inside)

    def _take(self, matrix: Embeddings, rows: Places) -> Embeddings:
        # most often all rows are wanted, and need no copy
        return matrix if np.array_equal(rows, np.arange(len(matrix))) else matrix[rows]

    def _opened(self, number: int) -> parquet.ParquetFile:
        if number not in self._open:
            file = self._files[number]
            opened = file.open()
            kind = opened.schema_arrow.field(EMBEDDING).type
            if kind != pa.binary(2 * self._dimensions):
                raise InputError(
                    f"{file.uri}: these embeddings are {kind}, the bundle's head takes "
                    f"{self._dimensions} float16; this is not a file of its backbone"
                )
            self._open[number] = opened
        return self._open[number]
