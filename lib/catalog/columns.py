"""Columns of a manifest that are not a part of an item, as text."""

from collections.abc import Sequence

import pyarrow as pa
from pyarrow import csv, parquet

from lib.catalog.catalog import MANIFEST_SUFFIXES
from lib.catalog.csv_dialect import parse_options, why_unreadable
from lib.errors import InputError
from lib.storage.storage import Storage


def read_columns(uri: str, columns: Sequence[str], storage: Storage) -> pa.Table:
    """Read some columns of a manifest, whatever their type, as text.

    Args:
        uri: of a `.csv` or `.parquet` manifest.
        columns: their names.
        storage: how to reach it.

    Returns:
        Column item_id, then the columns, string each; null where a row has no value.

    Raises:
        InputError: it cannot be read, is no manifest, or has no such column; says what it has.
    """
    if not uri.endswith(MANIFEST_SUFFIXES):
        raise InputError(
            f"{uri}: only a manifest, .csv or .parquet, has columns such as "
            f"'{columns[0]}'; give one as the catalog"
        )
    data = pa.BufferReader(storage.read(uri))
    try:
        found = (_from_csv if uri.endswith(".csv") else _from_parquet)(data, columns, uri)
    except pa.ArrowException as error:
        why = why_unreadable(error)
        raise InputError(f"{uri}: the manifest cannot be read: {why}") from None
    id_column = "item_id" if "item_id" in found.column_names else "uri"
    return pa.table(
        [found[name].cast(pa.string()) for name in (id_column, *columns)],
        names=["item_id", *columns],
    )


def _from_csv(data: pa.BufferReader, columns: Sequence[str], uri: str) -> pa.Table:
    parse = parse_options(data.read())
    data.seek(0)
    names = _wanted(csv.open_csv(data, parse_options=parse).schema.names, columns, uri)
    data.seek(0)
    convert = csv.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    return csv.read_csv(data, parse_options=parse, convert_options=convert)


def _from_parquet(data: pa.BufferReader, columns: Sequence[str], uri: str) -> pa.Table:
    schema = parquet.read_schema(data)
    names = _wanted(schema.names, columns, uri)
    for name in names:
        if pa.types.is_nested(schema.field(name).type):
            raise InputError(
                f"{uri}: column '{name}' is {schema.field(name).type}; expected one of plain values"
            )
    return parquet.read_table(data, columns=names)


def _wanted(there: Sequence[str], columns: Sequence[str], uri: str) -> list[str]:
    """Return the columns to read, with that of the ids: the uri where there is no other."""
    if lost := [name for name in columns if name not in there]:
        raise InputError(
            f"{uri}: the manifest has no column '{lost[0]}'; it has: {', '.join(there)}"
        )
    return [*dict.fromkeys(["item_id" if "item_id" in there else "uri", *columns])]
