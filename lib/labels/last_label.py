"""The label that an item had before its row became an error: two columns of the table alone."""

import io

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType
from pyarrow import parquet

from lib.batches import to_parquet
from lib.labels.rows import stream_rows
from lib.schemas import ADDED, TABLE_SCHEMA, as_labels

CATEGORY, CLASSIFIED_AT = "last_category_id", "last_classified_at"
# what a merge sets them to, of the row `old` of the table and the row `new` of a run
MERGED = {
    CATEGORY: f"""CASE WHEN new.error IS NULL THEN NULL
        ELSE coalesce(old.category_id, old.{CATEGORY}) END""",
    CLASSIFIED_AT: f"""CASE WHEN new.error IS NULL THEN NULL
        WHEN old.category_id IS NOT NULL THEN old.classified_at ELSE old.{CLASSIFIED_AT} END""",
}


def add_columns(table: DeltaTable) -> None:
    """Give a table of an earlier version the columns that it lacks, in a commit of its own."""
    text, time = PrimitiveType("string"), PrimitiveType("timestamp")
    known = {field.name for field in table.schema().fields}
    later = {CATEGORY: text, CLASSIFIED_AT: time, **dict.fromkeys(ADDED, text)}
    if lacking := [Field(name, kind) for name, kind in later.items() if name not in known]:
        table.alter.add_columns(lacking)


def with_last_labels(part: bytes, table: DeltaTable, name: str) -> bytes:
    """Fill the columns of those rows of a part that are errors; the rest stays as it is.

    Args:
        part: a Parquet file of `LABELS_SCHEMA`, which is to replace rows of the table.
        table: with the rows that it replaces.
        name: of the table, for messages.

    Raises:
        InputError, StoreError: as `stream_rows`.
    """
    rows = as_labels(parquet.read_table(io.BytesIO(part)))
    errors = rows.filter(pc.is_valid(rows["error"]))["item_id"].combine_chunks()
    if not len(errors):
        return part
    kept = ["item_id", "category_id", "classified_at", CATEGORY, CLASSIFIED_AT]
    schema = pa.schema([TABLE_SCHEMA.field(name) for name in kept])
    found = stream_rows(table, schema, name)
    chosen = [batch.filter(pc.is_in(batch["item_id"], errors)) for batch in found]
    before = pa.Table.from_batches(chosen, schema)
    label = pc.is_valid(before["category_id"])
    last = {
        CATEGORY: pc.coalesce(before["category_id"], before[CATEGORY]),
        CLASSIFIED_AT: pc.if_else(label, before["classified_at"], before[CLASSIFIED_AT]),
    }
    # of a row that is no error, the place is null, and so is what is taken from there
    nothing = pa.scalar(None, pa.string())
    failed = pc.if_else(pc.is_valid(rows["error"]), rows["item_id"], nothing)
    places = pc.index_in(failed, before["item_id"].combine_chunks(), skip_nulls=True)
    for column, values in last.items():
        field = TABLE_SCHEMA.field(column)
        rows = rows.append_column(field, values.cast(field.type).take(places))
    return to_parquet(rows.cast(TABLE_SCHEMA))
