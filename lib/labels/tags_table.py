"""The table of tags, a Delta table: which items have which tags, or may have them."""

from collections.abc import Collection

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from lib.labels.delta_open import DeltaPlace
from lib.labels.delta_words import readable, unwritable
from lib.schemas import TAGS_SCHEMA
from lib.storage.storage import Storage

COMMIT_ATTEMPTS = 5


class TagsTable:
    """The table at one place; every change is one commit."""

    def __init__(self, uri: str, storage: Storage) -> None:
        """Keep the place; the table is opened at each use, at its newest version."""
        self.name = uri
        self._place = DeltaPlace.of(
            uri, storage, what="table of tags", key="--tags-table", columns=TAGS_SCHEMA.names
        )

    def has(self, run_id: str) -> bool:
        """Say whether a run was taken before.

        Raises:
            InputError: what lies there is no table of tags.
        """
        table = self._place.open()
        with readable(self.name):  # the log is read again, after the table was opened
            return table is not None and table.transaction_version(run_id) is not None

    def replace(self, tags: Collection[str], rows: pa.Table, run_id: str) -> int:
        """Put the rows of some tags in the place of those they had; return the table's version.

        A run that was taken before changes nothing, and neither do other tags' rows.

        Args:
            tags: whose rows are replaced.
            rows: of `TAGS_SCHEMA`, of these tags alone.
            run_id: of the run; the commit's application transaction.

        Raises:
            InputError: what lies there is no table of tags.
            StoreError: it cannot be written.
        """
        properties = CommitProperties(
            custom_metadata={"run_id": run_id, "job": "tag"},
            app_transactions=[Transaction(run_id, 1)],
            max_commit_retries=0,  # another's rows of the same tags would stay beside these
        )
        for attempt in range(COMMIT_ATTEMPTS):
            table = self._place.open()
            try:
                if table is not None and table.transaction_version(run_id) is not None:
                    return int(table.version())
                self._write(table, tags, rows, properties)
            except (DeltaError, OSError) as error:
                if attempt == COMMIT_ATTEMPTS - 1:
                    raise unwritable(self.name, "the table of tags", error) from error
            else:
                opened = self._place.open()
                assert opened
                return int(opened.version())
        raise AssertionError("the last attempt returns or raises")

    def _write(
        self,
        table: DeltaTable | None,
        tags: Collection[str],
        rows: pa.Table,
        properties: CommitProperties,
    ) -> None:
        if table is None:
            write_deltalake(
                self._place.uri,
                rows,
                mode="error",
                storage_options=self._place.options,
                commit_properties=properties,
            )
            return
        write_deltalake(
            table, rows, mode="overwrite", predicate=_of_tags(tags), commit_properties=properties
        )


def _of_tags(tags: Collection[str]) -> str:
    quoted = ", ".join("'" + tag.replace("'", "''") + "'" for tag in sorted(tags))
    return f"tag IN ({quoted})"
