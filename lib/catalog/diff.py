"""What a run has to do: the snapshot compared with the labels table."""

from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
from pyarrow import parquet

from lib.batches import in_units
from lib.config.config import Config
from lib.reasons import Reason
from lib.schemas import ANNOTATIONS_SCHEMA, ITEM_SCHEMA
from lib.sql import read_rows

# what another night may well give
TRANSIENT = (Reason.GONE, Reason.CHANGED, Reason.FETCH_FAILED)


# of the labels table, what an item is compared by, and what it is labelled
COMPARED = ("item_id", "uri", "etag", "category_id", "decision", "error", "error_detail",
            "bundle_digest", "taxonomy_version", "name")  # fmt: skip


# why an image failed: of an error, or of what is labelled by its name alone, in its detail
FAILED = "coalesce(l.error, regexp_extract(l.error_detail, '^[a-z_]+'))"
# whether a row does not show the answer that a person has given, or shows one that was taken back
UNSHOWN = """CASE
    WHEN a.item_id IS NULL THEN l.decision = 'person'
    WHEN a.answer = 'split' THEN l.decision NOT IN ('review', 'error')
    ELSE l.decision IS DISTINCT FROM 'person' OR l.category_id IS DISTINCT FROM a.category_id END"""


class NightConfig(Config):
    """Which items of the table are done again though their image is as it was."""

    retry: Literal["transient", "all", "none"] = "transient"
    redo: tuple[Literal["bundle", "taxonomy"], ...] = ()


class Diff(Config):
    """How many items of the snapshot, or of the table, are what to the run."""

    new: int = 0
    changed: int = 0
    retried: int = 0
    redone: int = 0
    answered: int = 0  # by a person, or taken back, since they were published
    removed: int = 0
    unchanged: int = 0

    @property
    def planned(self) -> int:
        """Items that are classified."""
        return self.new + self.changed + self.retried + self.redone + self.answered

    @property
    def row_loss(self) -> float:
        """By how much the table shrinks, as a share from 0 to 1, whatever is classified."""
        before = self.planned - self.new + self.removed + self.unchanged
        return max(self.removed - self.new, 0) / max(before, 1)

    @property
    def changes(self) -> str:
        """What changes in the table, in a few words."""
        counts = [(name, count) for name, count in self if count and name != "unchanged"]
        return ", ".join(f"{count:,} {name}" for name, count in counts) or "nothing"

    @property
    def sentence(self) -> str:
        """The diff for the person who waits."""
        said = [(name, count) for name, count in self if count or name != "answered"]
        return ", ".join(f"{count:,} {name}" for name, count in said)


def count_versions(connection: duckdb.DuckDBPyConnection, labels: Path) -> dict[str, int]:
    """Count a table's rows by the version of their taxonomy.

    Args:
        connection: does the work, in bounded memory.
        labels: Parquet of the columns `COMPARED` of the table's rows.
    """
    query = "SELECT taxonomy_version, count(*) FROM read_parquet($labels) GROUP BY 1"
    return dict(connection.execute(query, {"labels": str(labels)}).fetchall())


class Night:
    """Compares a snapshot with the labels that are published, and writes what is to be done."""

    def __init__(
        self,
        config: NightConfig,
        bundle_digest: str,
        taxonomy_version: str,
        *,
        full: bool,
        names: bool = False,
    ) -> None:
        """Keep what decides whether a published label still stands; with `full` none does.

        Args:
            config: which labels are made again.
            bundle_digest: of the bundle that classifies.
            taxonomy_version: of its taxonomy.
            full: whether all are.
            names: whether the bundle uses names, so that another name is another item.
        """
        self._config, self._full, self._names = config, full, names
        self._bundle_digest, self._taxonomy_version = bundle_digest, taxonomy_version

    def plan(  # noqa: PLR0913, PLR0917  # each is read or written by its one query
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Path,
        labels: Path,
        target: Path,
        unit_size: int,
        answers: pa.Table | None = None,
    ) -> Diff:
        """Write the items to classify, in units, as a plan.

        Args:
            connection: does the work, in bounded memory.
            snapshot: Parquet of `ITEM_SCHEMA`, sorted by item id.
            labels: Parquet of the columns `COMPARED` of the table's rows.
            target: the plan.
            unit_size: items per unit, but for the first few.
            answers: of people, of `ANNOTATIONS_SCHEMA`, one per image; None for none.

        Returns:
            The counts but `removed`.
        """
        columns = ", ".join(f"s.{name}" for name in ITEM_SCHEMA.names)
        query = f"""
            SELECT * FROM (
                SELECT {columns}, {self._status()} AS status
                FROM read_parquet($snapshot) s LEFT JOIN read_parquet($labels) l USING (item_id)
                LEFT JOIN answers a ON a.item_id = s.item_id
                    AND coalesce(a.etag, a.uri) = coalesce(s.etag, s.uri)
            ) WHERE status <> 'unchanged' ORDER BY item_id"""  # noqa: S608  # our own column names
        values = {"snapshot": str(snapshot), "labels": str(labels), **self._values()}
        connection.register(
            "answers", ANNOTATIONS_SCHEMA.empty_table() if answers is None else answers
        )
        rows = read_rows(connection, query, values)
        counts: dict[str, int] = {}
        # a plan is read in pieces, which no etag vouches for
        kept = {"compression": "zstd", "write_page_checksum": True}
        with parquet.ParquetWriter(target, ITEM_SCHEMA, **kept) as writer:
            for unit in in_units(rows, unit_size):
                for each in unit["status"].value_counts().to_pylist():
                    counts[each["values"]] = counts.get(each["values"], 0) + each["counts"]
                writer.write_batch(unit.drop_columns(["status"]).cast(ITEM_SCHEMA))
        items = parquet.read_metadata(snapshot).num_rows
        return Diff(**counts, unchanged=items - sum(counts.values()))

    def _status(self) -> str:
        """Return the case expression; without any etag the uri stands for the version."""
        redo = [f"l.{column} <> ${column}" for column in self._redo()]
        renamed = "false"
        if self._names:  # what another bundle, or an earlier version, wrote without a name stands
            renamed = """s.name IS DISTINCT FROM l.name
                AND (l.name IS NOT NULL OR l.bundle_digest = $own)"""
        rest = "redone" if self._full else "unchanged"
        return f"""CASE
            WHEN l.item_id IS NULL THEN 'new'
            WHEN s.etag IS DISTINCT FROM l.etag OR s.uri <> l.uri THEN 'changed'
            WHEN {renamed} THEN 'changed'
            WHEN list_contains($retry, {FAILED}) THEN 'retried'
            WHEN l.error IS NULL AND ({" OR ".join(redo) or "false"}) THEN 'redone'
            WHEN {UNSHOWN} THEN 'answered'
            ELSE '{rest}' END"""

    def _values(self) -> dict[str, object]:
        retry = {"transient": TRANSIENT, "all": tuple(Reason), "none": ()}[self._config.retry]
        digests = {"bundle_digest": self._bundle_digest, "taxonomy_version": self._taxonomy_version}
        chosen = {column: digests[column] for column in self._redo()}
        own = {"own": self._bundle_digest} if self._names else {}
        return {"retry": [str(reason) for reason in retry], **chosen, **own}

    def _redo(self) -> list[str]:
        columns = {"bundle": "bundle_digest", "taxonomy": "taxonomy_version"}
        return [columns[part] for part in self._config.redo]


def write_removed(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Path,
    labels: Path,
    target: Path,
    *,
    whole: bool,
) -> int:
    """Write the ids of the table's items that the snapshot lacks; return their number.

    Where the snapshot is not the `whole` catalog, nothing is known to be gone.
    """
    query = """
        SELECT item_id FROM read_parquet($labels) l ANTI JOIN read_parquet($snapshot) s
        USING (item_id) WHERE $whole ORDER BY item_id"""
    values = {"labels": str(labels), "snapshot": str(snapshot), "whole": whole}
    rows = read_rows(connection, query, values)
    schema = pa.schema([ITEM_SCHEMA.field("item_id")])
    count = 0
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in rows:
            count += batch.num_rows
            writer.write_batch(batch.cast(schema))
    return count
