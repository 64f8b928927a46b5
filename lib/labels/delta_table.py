"""The labels table: the published, current label of every item, a Delta table."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import parquet

from lib.errors import ConflictError, InputError
from lib.labels.change import GONE, SOURCE_SCHEMA, Change
from lib.labels.delta_open import DeltaPlace
from lib.labels.delta_words import readable, unwritable
from lib.labels.history import Version, versions_of
from lib.labels.last_label import MERGED, add_columns, with_last_labels
from lib.labels.rows import stream_rows
from lib.schemas import ADDED, LABELS_SCHEMA, TABLE_SCHEMA
from lib.sql import open_duckdb, streamed
from lib.storage.storage import Storage
from lib.storage.uris import join

COMMIT_ATTEMPTS = 5
MIN_RETENTION_HOURS = 168


class LabelsTable:
    """The table at one place. Every change is one commit; a reader sees whole versions only."""

    def __init__(self, uri: str, storage: Storage) -> None:
        """Keep the place; the table is opened at each use, at its newest version."""
        self.name, self.storage = uri, storage
        needed = [name for name in LABELS_SCHEMA.names if name not in ADDED]
        self._place = DeltaPlace.of(
            uri, storage, what="labels table", key="labels_table", columns=needed
        )

    def version(self) -> int | None:
        """Newest version, or None where there is no table."""
        table = self._place.open()
        return None if table is None else int(table.version())

    def history(self, commits: int | None = None) -> list[Version]:
        """Return the last versions, the newest first; all of which Delta still has the log.

        Args:
            commits: how many; None for all.

        Raises:
            InputError: what lies there is no labels table, or its log is damaged.
            StoreError: the store does not answer.
        """
        table = self._place.open()
        return self._versions(table, commits) if table else []

    def read(self, version: int | None = None) -> pa.Table:
        """Read all rows, with the columns of `LABELS_SCHEMA`.

        Raises:
            InputError, StoreError: as `batches`.
        """
        return pa.Table.from_batches(self.batches(version, LABELS_SCHEMA.names), LABELS_SCHEMA)

    def dump(self, version: int | None, columns: Sequence[str], target: Path) -> None:
        """Write some columns of a version to a local Parquet file; no rows where it is None."""
        with parquet.ParquetWriter(target, _labels(columns), compression="zstd") as writer:
            if version is None:
                return
            for batch in self.batches(version, columns):
                writer.write_batch(batch)

    def batches(self, version: int | None, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Stream some columns of a version, None the newest, in bounded memory.

        Raises:
            InputError: there is no such table or version, or one of its files is damaged.
            StoreError: the store does not answer.
        """
        yield from stream_rows(self._opened(version), _labels(columns), self.name)

    def item(self, item_id: str, version: int | None = None) -> dict[str, Any] | None:
        """Return an item's row of a version, None the newest; None where it has none.

        Raises:
            InputError, StoreError: as `batches`.
        """
        rows = stream_rows(self._opened(version), LABELS_SCHEMA, self.name, item_id)
        found: list[dict[str, Any]] = pa.Table.from_batches(rows, LABELS_SCHEMA).to_pylist()
        return found[0] if found else None

    def publish(self, change: Change) -> int:
        """Take a run in, in one commit; a run that was taken before changes nothing.

        Where another run was faster, this one is put on top of it, unless both have the same items.

        Returns:
            The version of the table.

        Raises:
            ConflictError: another run has changed the same items since `change.base`.
            StoreError: the table cannot be written.
        """
        for attempt in range(COMMIT_ATTEMPTS):
            table = self._place.open()
            try:
                if table is not None:
                    # also after a commit whose answer was lost: it may have been made
                    if table.transaction_version(change.run_id) is not None:
                        return int(table.version())
                    if table.version() != change.base:
                        self._refuse_overlap(change, table)
                return self._commit(change, table)
            except (DeltaError, OSError) as error:
                if attempt == COMMIT_ATTEMPTS - 1:
                    raise unwritable(self.name, "the labels table", error) from error
        raise AssertionError("the last attempt returns or raises")

    def roll_back(self, version: int, by: str = "") -> int:
        """Bring an earlier version's rows back, as a new version; return its number.

        Args:
            version: the earlier one.
            by: who does it, for `history`.

        Raises:
            InputError: there is no such version, or it is the newest.
            StoreError: the table cannot be written.
        """
        table = self._opened(None)
        if version == table.version():
            raise InputError(
                f"{self.name}: version {version} is the newest; it is what is read now"
            )
        known = [each.number for each in self._versions(table)]
        if version not in known:
            raise InputError(
                f"{self.name}: there is no version {version} to go back to; there are "
                f"{min(known)} to {max(known)}"
            )
        self._opened(version)
        properties = CommitProperties(custom_metadata={"by": by})
        try:
            table.restore(version, commit_properties=properties)
        except (DeltaError, OSError) as error:
            raise unwritable(self.name, "the labels table", error) from error
        return int(table.version())

    def vacuum(self, older_than: timedelta, *, delete: bool) -> list[str]:
        """Return the files that no version since then points to; remove them if told to.

        A week's versions stay, whatever is asked for: readers may be at them.

        Raises:
            InputError: there is no labels table here.
            StoreError: its files cannot be removed.
        """
        hours = max(int(older_than.total_seconds() // 3600), MIN_RETENTION_HOURS)
        table = self._opened(None)
        try:
            files: list[str] = table.vacuum(retention_hours=hours, dry_run=not delete)
        except (DeltaError, OSError) as error:
            raise unwritable(self.name, "the labels table", error) from error
        return files

    def _versions(self, table: DeltaTable, commits: int | None = None) -> list[Version]:
        with readable(self.name):  # the log is read again, after the table was opened
            return versions_of(table.history(commits))

    def _opened(self, version: int | None) -> DeltaTable:
        table = self._place.open(version)
        if table is None:
            raise InputError(f"{self.name}: there is no labels table here")
        return table

    def _replace(self, change: Change, table: DeltaTable) -> int:
        """Make the parts files of the table, in the place of all that it has."""
        actions: list[AddAction | RemoveAction] = []
        for number, part in enumerate(change.parts):
            data = with_last_labels(self.storage.read(part), table, self.name)
            # named by the run: a second try writes the same file again
            name = f"part-{number:05d}-{change.run_id}.parquet"
            self.storage.write(join(self._place.uri, name), data)
            rows = parquet.read_metadata(pa.BufferReader(data)).num_rows
            now, stats = time.time_ns() // 1_000_000, json.dumps({"numRecords": rows})
            actions.append(AddAction(name, len(data), {}, now, data_change=True, stats=stats))
        table.create_write_transaction(
            actions, "overwrite", table.schema(), commit_properties=_properties(change)
        )
        return int(self._opened(None).version())

    def _commit(self, change: Change, table: DeltaTable | None) -> int:
        if table is not None:
            add_columns(table)
        if change.whole and table is not None:
            return self._replace(change, table)
        properties = _properties(change)
        if table is None:
            rows = pa.RecordBatchReader.from_batches(TABLE_SCHEMA, change.first_rows(self.storage))
            write_deltalake(
                self._place.uri,
                rows,
                mode="error",
                storage_options=self._place.options,
                commit_properties=properties,
            )
            return int(self._opened(None).version())
        columns = {name: f"new.{name}" for name in LABELS_SCHEMA.names}
        (
            table.merge(
                pa.RecordBatchReader.from_batches(SOURCE_SCHEMA, change.source_rows(self.storage)),
                "old.item_id = new.item_id",
                "new",
                "old",
                commit_properties=properties,
            )
            .when_matched_delete(f"new.{GONE}")
            .when_matched_update(columns | MERGED, f"NOT new.{GONE}")
            .when_not_matched_insert(columns, f"NOT new.{GONE}")
            .execute()
        )
        return int(table.version())

    def _refuse_overlap(self, change: Change, table: DeltaTable) -> None:
        """Compare who wrote each row at the base and now: what differs, another run has changed.

        Where the whole table is replaced, a row of an item that the run has not is in its way.
        """
        written = _labels(["item_id", "run_id"])
        base: Iterable[pa.RecordBatch] = ()
        if change.base is not None:
            base = stream_rows(self._opened(change.base), written, self.name)
        ours = (batch.select(["item_id"]) for batch in change.source_rows(self.storage))
        items = pa.schema([SOURCE_SCHEMA.field("item_id")])
        with (
            open_duckdb() as connection,
            streamed(connection, "now", written, stream_rows(table, written, self.name)),
            streamed(connection, "base", written, base),
            streamed(connection, "ours", items, ours),
        ):
            ((count,),) = connection.execute(
                """SELECT count(*) FROM (
                    SELECT coalesce(n.item_id, b.item_id) AS item_id
                    FROM now n FULL JOIN base b USING (item_id)
                    WHERE n.run_id IS DISTINCT FROM b.run_id
                ) t LEFT JOIN ours o USING (item_id) WHERE $whole OR o.item_id IS NOT NULL""",
                {"whole": change.whole},
            ).fetchall()
        if count:
            raise ConflictError(
                f"{self.name}: since this run was planned, another has published {count:,} of "
                "the same items; its labels stay. The same command plans a new run"
            )


def _labels(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([LABELS_SCHEMA.field(name) for name in columns])


def _properties(change: Change) -> CommitProperties:
    # Without its retries: where another commit was faster, Delta would put a new table's rows
    # beside the other's, of the same items or not; `publish` looks first, and tries again.
    return CommitProperties(
        custom_metadata={name: text for name, text in change.made if text},
        app_transactions=[Transaction(change.run_id, 1)],
        max_commit_retries=0,
    )
