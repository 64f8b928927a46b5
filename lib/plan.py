"""The plan: a run's items in units, one Parquet row group a unit."""

import threading
from collections.abc import Iterable
from functools import cached_property

import pyarrow as pa
from pyarrow import parquet

from lib.storage import Storage

# a plan is read one row group at a time: reading far ahead would fetch other actors' units
BLOCK_BYTES = 256 * 1024


class Plan:
    """A written plan, read one unit at a time; threads may share it."""

    def __init__(self, uri: str, storage: Storage) -> None:
        """Open the plan at first use."""
        self._uri, self._storage = uri, storage
        self._lock = threading.Lock()  # the file has one place where it reads

    @cached_property
    def _file(self) -> parquet.ParquetFile:
        filesystem, path = self._storage.open(self._uri)
        file = filesystem.open(path, "rb", block_size=BLOCK_BYTES)
        return parquet.ParquetFile(file, page_checksum_verification=True)

    @property
    def units(self) -> range:
        """Numbers of the units."""
        return range(self._file.num_row_groups)

    @property
    def items(self) -> int:
        """How many items all units have."""
        return int(self._file.metadata.num_rows)

    def count(self, units: Iterable[int]) -> int:
        """How many items these units have."""
        return sum(self._file.metadata.row_group(unit).num_rows for unit in units)

    def read(self, unit: int) -> pa.Table:
        """Read a unit's items, with the columns of `ITEM_SCHEMA`."""
        with self._lock:
            return self._file.read_row_group(unit)

    def read_ids(self, unit: int) -> pa.ChunkedArray:
        """Read a unit's item ids."""
        with self._lock:
            return self._file.read_row_group(unit, columns=["item_id"])["item_id"]
