"""What rolling a table back would do, counted before it is done."""

from dataclasses import dataclass

import pyarrow as pa

from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Version
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb, streamed

COLUMNS = ("item_id", "category_id")
COUNTS = """
    SELECT count(n.item_id), count(t.item_id),
        count(*) FILTER (n.item_id IS NOT NULL AND t.item_id IS NOT NULL
            AND n.category_id IS DISTINCT FROM t.category_id),
        count(*) FILTER (t.item_id IS NULL), count(*) FILTER (n.item_id IS NULL)
    FROM now n FULL JOIN earlier t ON n.item_id = t.item_id"""


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What bringing a version back does.

    Attributes:
        version: it.
        now: the number of the newest version.
        rows_now: of the newest version.
        rows: of the version that comes back.
        other_category: items that get another category.
        leave: items that the table has only now.
        return_: items that it had only then.
    """

    version: Version
    now: int
    rows_now: int
    rows: int
    other_category: int
    leave: int
    return_: int


def plan_rollback(labels: LabelsTable, version: int) -> Rollback:
    """Count what bringing a version back would do.

    Raises:
        InputError: there is no such version, or it is the newest.
    """
    known = {each.number: each for each in labels.history()}
    now = labels.version()
    if version not in known or now is None or version == now:
        raise InputError(f"version {version} is the newest, or there is no such version any more")
    schema = pa.schema([LABELS_SCHEMA.field(name) for name in COLUMNS])
    with (
        open_duckdb() as connection,
        streamed(connection, "now", schema, labels.batches(now, COLUMNS)),
        streamed(connection, "earlier", schema, labels.batches(version, COLUMNS)),
    ):
        ((rows_now, rows, other, leave, return_),) = connection.execute(COUNTS).fetchall()
    return Rollback(
        version=known[version],
        now=now,
        rows_now=rows_now,
        rows=rows,
        other_category=other,
        leave=leave,
        return_=return_,
    )
