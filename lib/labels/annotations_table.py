"""The table of annotations, a Delta table to which people's answers are appended."""

import contextlib

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from deltalake.exceptions import DeltaError

from lib.labels.annotations import newest_answers, standing_answers
from lib.labels.carried_answers import with_late
from lib.labels.delta_open import DeltaPlace, NewestVersion
from lib.labels.delta_words import unwritable
from lib.labels.rows import stream_rows
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy

COMMIT_ATTEMPTS = 5
MOST_FILES = 40  # before they are put together: each costs the next commit 0.3 ms


class AnnotationsTable:
    """The table at one place. Rows are only ever added, each group of them in one commit."""

    def __init__(self, uri: str, storage: Storage) -> None:
        """Keep the place; at each use the table is at its newest version."""
        self.name = uri
        self._place = DeltaPlace.of(
            uri,
            storage,
            what="table of annotations",
            key="annotations",
            columns=ANNOTATIONS_SCHEMA.names,
        )
        self._newest = NewestVersion(self._place, storage)
        self._files = 0  # when something was added last

    def version(self) -> int | None:
        """Newest version, or None where there is no table yet.

        Raises:
            InputError: what lies there is no table of annotations.
            StoreError: the store does not answer.
        """
        table = self._newest.get()
        return None if table is None else int(table.version())

    def append(self, rows: pa.Table) -> int:
        """Add annotations in one commit, and return the table's version.

        Others may add theirs at the same time: nobody's are lost. What is added again after an
        answer of the store was lost is read once, by its `annotation_id`.

        Args:
            rows: of `ANNOTATIONS_SCHEMA`.

        Raises:
            InputError: what lies there is no table of annotations.
            StoreError: they cannot be written; whether they are there is not known.
        """
        for attempt in range(COMMIT_ATTEMPTS):
            table = self._newest.get()
            try:
                write_deltalake(
                    self._place.uri if table is None else table,
                    rows.cast(ANNOTATIONS_SCHEMA),
                    mode="error" if table is None else "append",
                    storage_options=self._place.options,
                    commit_properties=CommitProperties(custom_metadata={"job": "annotate"}),
                )
            except (DeltaError, OSError) as error:
                if attempt == COMMIT_ATTEMPTS - 1:
                    raise unwritable(self.name, "the answers", error) from error
            else:
                if table is None:
                    return 0
                self._files = len(table.file_uris())  # of the version that the writer has made
                return int(table.version())
        raise AssertionError("the last attempt returns or raises")

    def put_together(self) -> int | None:
        """Make one file of many small ones; return the version that this made, None without one.

        Many are there where `append` has found them.

        Raises:
            InputError, StoreError: as `version`.
        """
        if self._files <= MOST_FILES or (table := self._newest.get()) is None:
            return None
        # another does it, or the next answer will: what was said is there
        with contextlib.suppress(DeltaError, OSError):
            table.optimize.compact()
            return int(table.version())
        return None

    def read(self) -> pa.Table:
        """Return all annotations, each once, of `ANNOTATIONS_SCHEMA`; none without a table.

        Raises:
            InputError: what lies there is no table of annotations, or a file of it is damaged.
            StoreError: the store does not answer.
        """
        table = self._newest.get()
        if table is None:
            return ANNOTATIONS_SCHEMA.empty_table()
        rows = pa.Table.from_batches(
            stream_rows(table, ANNOTATIONS_SCHEMA, self.name), ANNOTATIONS_SCHEMA
        )
        return _once(rows)

    def newest(self, taxonomy_version: str) -> pa.Table:
        """Return `newest_answers` of all that is there; raises as `read`."""
        return newest_answers(self.read(), taxonomy_version)

    def standing(self, taxonomy: Taxonomy) -> pa.Table:
        """Return `standing_answers` of all that is there, and of `with_late`; raises as `read`."""
        return standing_answers(with_late(self.read(), taxonomy), taxonomy.version)


def _once(rows: pa.Table) -> pa.Table:
    ids = rows["annotation_id"].combine_chunks().dictionary_encode().indices.to_pylist()
    seen: set[int] = set()
    first = [place for place, each in enumerate(ids) if not (each in seen or seen.add(each))]  # type: ignore[func-returns-value]
    return rows.take(pa.array(first, pa.int64()))
