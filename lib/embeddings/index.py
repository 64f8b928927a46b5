"""Where in a store the embedding of each key lies, and reading embeddings by their places."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from lib.embeddings.store import EMBEDDING, KEY_SCHEMA, Embeddings, read_key_groups, to_matrix
from lib.errors import InputError
from lib.sql import streamed
from lib.storage.parquet_reader import ParquetParts

FILE_ROWS = 2**32  # a place is the number of its file times this, and the row in it
PLACE = pa.field("place", pa.int64(), nullable=False)

Places = np.ndarray[Any, np.dtype[np.int64]]


def streamed_places(
    connection: duckdb.DuckDBPyConnection, files: Sequence[ParquetParts], name: str
) -> AbstractContextManager[None]:
    """Make a relation of the keys of files: uri, etag and place; as `streamed`."""
    return streamed(connection, name, KEY_SCHEMA.append(PLACE), read_places([[f] for f in files]))


def read_places(groups: Iterable[Sequence[ParquetParts]]) -> Iterator[pa.RecordBatch]:
    """Stream uri, etag and place of all embeddings; the files of a group are counted as one.

    Raises:
        InputError: a file is damaged, or gone.
    """
    for number, files in enumerate(groups):
        row = number * FILE_ROWS
        for batch in itertools.chain.from_iterable(map(read_key_groups, files)):
            places = np.arange(row, row + batch.num_rows)
            row += batch.num_rows
            columns = [*batch.columns, pa.array(places)]
            yield pa.RecordBatch.from_arrays(columns, schema=KEY_SCHEMA.append(PLACE))


class PlacedReader:
    """Reads embeddings by their places, a row group at a time; keeps files open."""

    def __init__(self, files: Sequence[ParquetParts], dimensions: int) -> None:
        """Keep the files, in the order that the places count them."""
        self._files, self._dimensions = files, dimensions
        self._ends: dict[int, Places] = {}

    def read(self, places: Places) -> Iterator[Embeddings]:
        """Yield embeddings, float16 [m, d], in the order of `places`, which ascend.

        Raises:
            InputError: a file holds embeddings of another length, or is damaged.
        """
        numbers = places // FILE_ROWS
        for number in np.unique(numbers).tolist():
            rows = places[numbers == number] % FILE_ROWS
            ends = self._ends_of(number)
            groups = np.searchsorted(ends, rows, side="right")
            for group in np.unique(groups).tolist():
                inside = rows[groups == group] - (ends[group - 1] if group else 0)
                column = self._files[number].read(group, [EMBEDDING])[EMBEDDING]
                yield self._take(to_matrix(column.combine_chunks()), inside)

    def _take(self, matrix: Embeddings, rows: Places) -> Embeddings:
        # most often all rows are wanted, and need no copy
        return matrix if np.array_equal(rows, np.arange(len(matrix))) else matrix[rows]

    def _ends_of(self, number: int) -> Places:
        """Return the row after the last of each row group of a file, which must be of the kind."""
        if number not in self._ends:
            file = self._files[number]
            kind = file.schema.field(EMBEDDING).type
            if kind != pa.binary(2 * self._dimensions):
                raise InputError(
                    f"{file.uri}: these embeddings are {kind}, the bundle's head takes "
                    f"{self._dimensions} float16; this is not a file of its backbone"
                )
            metadata = file.metadata
            groups = range(metadata.num_row_groups)
            self._ends[number] = np.cumsum([metadata.row_group(g).num_rows for g in groups])
        return self._ends[number]
