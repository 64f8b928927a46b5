"""The plan: a run's items in units, one Parquet row group per unit."""

from collections.abc import Iterable

import pyarrow as pa

from lib.runs import files
from lib.runs.run import Run
from lib.storage.parquet_reader import ParquetParts

# a plan is read one row group at a time: reading far ahead would fetch other actors' units
PLAN_BLOCK_BYTES = 256 * 1024


class Plan:
    """A written plan, read one unit at a time; threads may share it."""

    def __init__(self, run: Run) -> None:
        """Open a run's plan at first use."""
        self._file = ParquetParts(run.at(files.PLAN), run.storage, PLAN_BLOCK_BYTES)

    @property
    def units(self) -> range:
        """Numbers of the units."""
        return range(self._file.metadata.num_row_groups)

    @property
    def items(self) -> int:
        """How many items all units have."""
        return int(self._file.metadata.num_rows)

    def count(self, units: Iterable[int]) -> int:
        """How many items these units have."""
        metadata = self._file.metadata
        return sum(metadata.row_group(unit).num_rows for unit in units)

    def read(self, unit: int) -> pa.Table:
        """Read a unit's items, with the columns of `ITEM_SCHEMA`."""
        return self._file.read(unit)

    def read_ids(self, unit: int) -> pa.ChunkedArray:
        """Read a unit's item ids."""
        return self._file.read(unit, ["item_id"])["item_id"]
