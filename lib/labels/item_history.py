"""What became of one item, version by version of the labels table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lib.errors import InputError, StoreError
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Version

MOST_VERSIONS = 14


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an item was labelled from a version on.

    Attributes:
        version: the first version that had it so, as far as versions were read.
        row: of `LABELS_SCHEMA`, or None where the table had no such item.
    """

    version: Version
    row: dict[str, Any] | None


def item_history(table: LabelsTable, item_id: str, most: int = MOST_VERSIONS) -> list[Step]:
    """Return what an item was labelled, the newest first, over the last versions.

    A version that its row was not written by has the row of the version before: only the others
    are read, a row each. Versions whose files are gone end it.

    Raises:
        StoreError: the store does not answer.
    """
    steps: list[Step] = []
    for step in _each(table, item_id, most):
        if steps and steps[-1].row == step.row:
            steps.pop()
        steps.append(step)
    return steps


def _each(table: LabelsTable, item_id: str, most: int) -> Iterator[Step]:
    row, known = None, False
    for version in table.history(most):
        if not known:
            try:
                row = table.item(item_id, version.number)
            except StoreError:
                raise
            except InputError:  # its files were removed since
                return
        yield Step(version=version, row=row)
        run_id = version.made.run_id
        known = row is not None and version.restored is None and run_id not in ("", row["run_id"])
