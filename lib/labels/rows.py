"""The rows of a Delta table, as a stream in bounded memory."""

from collections.abc import Iterator

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lib.labels.delta_words import readable
from lib.schemas import ADDED


def stream_rows(
    table: DeltaTable, schema: pa.Schema, name: str, item_id: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a table's rows, in any order, with the columns of a schema.

    By Delta's own engine: the threads of Arrow's scanner may outlive the interpreter, which then
    ends with an abort (https://github.com/apache/arrow/issues/34314).

    Args:
        table: at the version to read.
        schema: columns that it has, in the types that are wanted; those of `ADDED` are null in a
            table of an earlier version.
        name: of the table, for messages.
        item_id: whose rows are wanted; None for all.

    Raises:
        InputError: a file of the table is damaged or gone.
        StoreError: the store does not answer.
    """
    known = {field.name for field in table.schema().fields}
    lacking = [each for each in schema.names if each in ADDED and each not in known]
    columns = ", ".join(
        f'CAST(NULL AS VARCHAR) AS "{each}"' if each in lacking else f'"{each}"'
        for each in schema.names
    )
    query = f"SELECT {columns} FROM labels"  # noqa: S608  # our own column names
    if item_id is not None:
        quoted = item_id.replace("'", "''")  # all that SQL's own strings want; no engine parameters
        query += f" WHERE item_id = '{quoted}'"
    with readable(name):
        found = QueryBuilder().register("labels", table).execute(query)
        for batch in pa.RecordBatchReader.from_stream(found):
            yield batch.cast(schema)
