"""What a run does to the labels table, and the rows that a commit takes of it."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import parquet

from lib.labels.history import Made
from lib.labels.last_label import MERGED
from lib.schemas import LABELS_SCHEMA, TABLE_SCHEMA, as_labels
from lib.storage.storage import Storage

GONE = "gone"
SOURCE_SCHEMA = LABELS_SCHEMA.append(pa.field(GONE, pa.bool_(), nullable=False))


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a run does to the table.

    Attributes:
        run_id: the run; the commit's application transaction.
        base: version of the table that the run was planned against, None where there was none.
        parts: URIs of the run's labels; they replace the rows of the same items.
        removed: URI of the ids whose rows are removed, or None.
        whole: the parts are all rows that the table is to have; they become files of it as they
            are, and any other run's change since `base` is in their way.
        made: what the run says of itself, for `history`.
    """

    run_id: str
    base: int | None
    parts: Sequence[str]
    removed: str | None
    whole: bool = False
    made: Made = field(default_factory=Made)

    def first_rows(self, storage: Storage) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table's first version, of `TABLE_SCHEMA`."""
        more = [TABLE_SCHEMA.field(name).type for name in MERGED]
        for batch in self._labels(storage):
            columns = [*batch.columns, *(pa.nulls(batch.num_rows, each) for each in more)]
            yield pa.RecordBatch.from_arrays(columns, schema=TABLE_SCHEMA)

    def source_rows(self, storage: Storage) -> Iterator[pa.RecordBatch]:
        """Yield the labels, and the ids that go, told apart by the last of `SOURCE_SCHEMA`."""
        for batch in self._labels(storage):
            stays = pa.repeat(pa.scalar(value=False), batch.num_rows)
            yield pa.RecordBatch.from_arrays([*batch.columns, stays], schema=SOURCE_SCHEMA)
        for batch in _batches(self.removed, storage) if self.removed else ():
            yield _removal(batch.column("item_id"))

    def _labels(self, storage: Storage) -> Iterator[pa.RecordBatch]:
        for part in self.parts:
            for batch in _batches(part, storage):
                yield from as_labels(pa.Table.from_batches([batch])).to_batches()


def _batches(part: str, storage: Storage) -> Iterator[pa.RecordBatch]:
    yield from parquet.ParquetFile(io.BytesIO(storage.read(part))).iter_batches()


def _removal(ids: pa.Array) -> pa.RecordBatch:
    """Rows of ids that go; the other columns are filled, since some may not be null."""
    count = len(ids)
    columns = {field.name: pa.nulls(count, field.type) for field in LABELS_SCHEMA}
    columns["item_id"] = ids
    for name in ("uri", "decision", "bundle_digest", "taxonomy_version", "run_id"):
        columns[name] = pa.repeat("", count)
    columns["classified_at"] = pa.repeat(pa.scalar(0, pa.timestamp("us", tz="UTC")), count)
    columns[GONE] = pa.repeat(pa.scalar(value=True), count)
    return pa.RecordBatch.from_pydict(columns, schema=SOURCE_SCHEMA)
