"""Columns of a manifest that are not a part of an item, as text."""

from collections.abc import Sequence

import pyarrow as pa

from lib.catalog.manifest import FILE_NAME, check_text
from lib.catalog.manifest_files import manifest_files
from lib.catalog.manifest_kind import NAMES
from lib.catalog.manifest_rows import read_rows
from lib.errors import InputError
from lib.storage.storage import Storage
from lib.storage.uris import absolute


def read_columns(uri: str, columns: Sequence[str], storage: Storage) -> pa.Table:
    """Read some columns of a manifest, whatever their type, as text.

    Args:
        uri: of a manifest.
        columns: their names.
        storage: how to reach it.

    Returns:
        Column item_id, then the columns, string each; null where a row has no value.

    Raises:
        InputError: it cannot be read, is no manifest, or has no such column; says what it has.
    """
    if not (parts := manifest_files(absolute(uri), storage)):
        raise InputError(
            f"{uri}: only a manifest, {NAMES}, has columns such as '{columns[0]}'; give one as the "
            "catalog"
        )

    def wanted(names: Sequence[str]) -> Sequence[str]:
        if lost := [name for name in columns if name not in names]:
            raise InputError(
                f"{uri}: the manifest has no column '{lost[0]}'; it has: {', '.join(names)}"
            )
        return [*dict.fromkeys([_id_column(names), *columns])]

    schema = pa.schema([(name, pa.string()) for name in ("item_id", *columns)])
    return pa.Table.from_batches(
        (
            _as_text(batch, [_id_column(batch.schema.names), *columns], schema, uri)
            for part in parts
            for batch in read_rows(part, storage, wanted, {})
        ),
        schema,
    )


def _id_column(names: Sequence[str]) -> str:
    return next((name for name in ("item_id", "uri") if name in names), FILE_NAME)


def _as_text(
    batch: pa.RecordBatch, columns: Sequence[str], schema: pa.Schema, uri: str
) -> pa.RecordBatch:
    for name in columns:
        if pa.types.is_nested(batch[name].type):
            kind = batch[name].type
            raise InputError(f"{uri}: column '{name}' is {kind}; expected one of plain values")
    found = [batch[name].cast(pa.string()) for name in columns]
    for name, values in zip(columns, found, strict=True):
        check_text(values, name, uri)
    return pa.RecordBatch.from_arrays(found, schema=schema)
