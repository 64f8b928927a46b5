"""The plan: a run's items in units, one Parquet row group a unit."""

import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TypeVar

import pyarrow as pa
from botocore.exceptions import FlexibleChecksumError
from pyarrow import parquet

from lib.storage import Storage, explained

# a plan is read one row group at a time: reading far ahead would fetch other actors' units
BLOCK_BYTES = 256 * 1024
T = TypeVar("T")


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

    def _ask(self, question: Callable[[parquet.ParquetFile], T]) -> T:
        """Ask the file, and where it is damaged once more anew: bytes may flip on their way."""
        with self._lock:
            try:
                return question(self._file)
            except (OSError, pa.ArrowInvalid, FlexibleChecksumError):
                self.__dict__.pop("_file", None)  # with the bytes that it keeps
                with explained(self._uri):
                    return question(self._file)

    @property
    def units(self) -> range:
        """Numbers of the units."""
        return range(self._ask(lambda file: file.num_row_groups))

    @property
    def items(self) -> int:
        """How many items all units have."""
        return self._ask(lambda file: int(file.metadata.num_rows))

    def count(self, units: Iterable[int]) -> int:
        """How many items these units have."""
        metadata = self._ask(lambda file: file.metadata)
        return sum(metadata.row_group(unit).num_rows for unit in units)

    def read(self, unit: int) -> pa.Table:
        """Read a unit's items, with the columns of `ITEM_SCHEMA`."""
        return self._ask(lambda file: file.read_row_group(unit))

    def read_ids(self, unit: int) -> pa.ChunkedArray:
        """Read a unit's item ids."""
        return self._ask(lambda file: file.read_row_group(unit, columns=["item_id"])["item_id"])
