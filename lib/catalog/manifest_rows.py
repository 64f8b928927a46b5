"""The rows of a manifest's files, whatever their kind: the columns that are wanted, in batches."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from lib.batches import Batches
from lib.catalog.csv_dialect import encoding_of, parse_options, why_unreadable
from lib.catalog.manifest_kind import is_compressed, kind_of
from lib.errors import InputError
from lib.storage.errors import explained
from lib.storage.storage import Storage

ROWS = 50_000
BLOCK_BYTES = 8 << 20  # of text at a time; no row may be longer

Choose = Callable[[Sequence[str]], Sequence[str]]  # of the names of all columns, those to read
Types = Mapping[str, pa.DataType]  # of columns in text; others are strings
File = Any  # fsspec has no types


def read_rows(uri: str, storage: Storage, choose: Choose, types: Types) -> Batches:
    """Read some columns of one file of a manifest, as it names them.

    Args:
        uri: of a file that `kind_of` knows.
        storage: how to reach it.
        choose: takes the names of all columns, returns those to read, or raises.
        types: of columns in CSV and JSON Lines, by name; others are text. Parquet has its own.

    Raises:
        InputError: it cannot be read.
    """
    filesystem, path = storage.open(uri)
    with explained(uri):
        file = filesystem.open(path, "rb")
    with file:
        try:
            if kind_of(uri) == "parquet":
                yield from _from_parquet(file, choose)
                return
            text = gzip.GzipFile(fileobj=file) if is_compressed(uri) else file
            if kind_of(uri) == "jsonl":
                yield from _from_json_lines(text, uri, choose, types)
            else:
                yield from _from_csv(text, uri, choose, types)
        except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeError) as error:
            why = why_unreadable(error)
            raise InputError(f"{uri}: the manifest cannot be read: {why}") from None


def _from_parquet(file: File, choose: Choose) -> Batches:
    whole = parquet.ParquetFile(file)
    wanted = choose(whole.schema_arrow.names)
    yield from whole.iter_batches(ROWS, columns=list(wanted))


def _from_csv(file: File, uri: str, choose: Choose, types: Types) -> Batches:
    start = file.read(2 * BLOCK_BYTES)
    encoding, parse = encoding_of(start), parse_options(start)
    if kind_of(uri) == "tsv":
        parse.delimiter = "\t"
    blocks = csv.ReadOptions(block_size=BLOCK_BYTES, encoding=encoding)
    # columns that no one asked for may hold anything: one type here and another further down
    as_text = csv.ConvertOptions(
        null_values=[""],  # "NA" and "null" are words like others
        strings_can_be_null=True,
    )
    head = start.decode(encoding, "ignore").encode() if encoding != "utf8" else start
    first = csv.ReadOptions(block_size=BLOCK_BYTES)
    wanted = choose(csv.open_csv(pa.BufferReader(head), first, parse, as_text).schema.names)
    as_text.include_columns = list(wanted)
    as_text.column_types = {name: types.get(name, pa.string()) for name in wanted}
    file.seek(0)
    yield from csv.open_csv(file, blocks, parse, as_text)


def _from_json_lines(file: File, uri: str, choose: Choose, types: Types) -> Batches:
    names: dict[str, None] = {}  # of all rows so far: one that is missing in a row is null there
    rows: list[dict[str, Any]] = []
    number = 0
    while line := file.readline(BLOCK_BYTES):
        number += 1
        if len(line) == BLOCK_BYTES:
            raise InputError(f"{uri}: line {number} is longer than {BLOCK_BYTES:,} bytes")
        if line.strip():
            rows.append(_parse(line, f"{uri}: line {number}"))
            names.update(dict.fromkeys(rows[-1]))
        if len(rows) == ROWS:
            yield _batch(rows, choose([*names]), types, uri)
            rows = []
    if not number:
        raise InputError(f"{uri}: the manifest cannot be read: it is empty")
    if rows:
        yield _batch(rows, choose([*names]), types, uri)


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeError:
        raise
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise InputError(f'{place} is no JSON object; expected one, as {{"uri": "a.jpg"}}')
    return row


def _batch(
    rows: Sequence[dict[str, Any]], wanted: Sequence[str], types: Types, uri: str
) -> pa.RecordBatch:
    columns = {}
    for name in wanted:
        kind = types.get(name, pa.string())
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(map(_text, values) if kind == pa.string() else values, kind)
        except (pa.ArrowException, TypeError, OverflowError):
            raise InputError(f"{uri}: column '{name}' holds something else than {kind}") from None
    return pa.RecordBatch.from_pydict(columns)


def _text(value: object) -> object:
    """Return a plain value as text: a number as JSON has it, half of a surrogate pair as '?'."""
    if (
        value is None
        or isinstance(value, list | dict)
        or (isinstance(value, str) and value.isascii())
    ):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()
