"""A sheet of items for a person to fill in: CSV out, and back with answers."""

import csv
import io
from collections import Counter
from datetime import datetime

import pyarrow as pa
from pyarrow import csv as arrow_csv

from lib.catalog.csv_dialect import encoding_of, parse_options, why_unreadable
from lib.errors import InputError
from lib.labels.decisions import TOP_K
from lib.review.said import Read, Said

SHOWN = ("item_id", "uri", "name", "category_id", "category_path", "confidence")
BEST = tuple(f"{name}_{place}" for place in range(1, TOP_K + 1) for name in ("best", "probability"))
# an answer is of one image, in one version of the taxonomy
BINDING = ("etag", "decision", "taxonomy_version", "exported_at")
COLUMNS = (*SHOWN, *BEST, "answer", *BINDING)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # what a spreadsheet computes, and our mark
NO_ANSWER = "no answer"


def to_sheet(items: pa.Table, exported_at: datetime) -> bytes:
    """Write items as CSV with an empty column `answer`.

    In UTF-8 with a byte-order mark, by which Excel knows it. What a spreadsheet would take for a
    formula begins with an apostrophe, which `from_sheet` takes away again.

    Args:
        items: of `LABELS_SCHEMA`, in the order in which they are asked.
        exported_at: now.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in items.to_pylist():
        best = [
            value
            for each in (row["top_k"] or [])[:TOP_K]
            for value in (_harmless(each["category_id"]), _figure(each["probability"]))
        ]
        writer.writerow(
            [
                *(_harmless(row[name]) for name in SHOWN[:-1]),
                _figure(row["confidence"]),
                *best,
                *[""] * (len(BEST) - len(best)),
                "",
                *(_harmless(row[name]) for name in BINDING[:-1]),
                exported_at.isoformat(),
            ]
        )
    return text.getvalue().encode("utf-8-sig")


def from_sheet(data: bytes, source: str) -> Read:
    """Read the answers of a sheet; of its columns, only `item_id` and `answer` must be there.

    Raises:
        InputError: it cannot be read, or lacks a column, or answers an item twice.
    """
    rows = _read(data, source)
    answered = [row for row in rows if row["answer"]]
    counts = Counter(row["item_id"] for row in answered)
    if twice := [item for item, count in counts.items() if count > 1]:
        raise InputError(f"{source}: '{twice[0]}' is answered here a second time; answer it once")
    said = [
        Said(
            item_id=row["item_id"] or "",
            answer=row["answer"] or "",
            uri=row.get("uri"),
            etag=row.get("etag"),
            taxonomy_version=row.get("taxonomy_version"),
            by=row.get("by"),
            key=row.get("exported_at") or "",
        )
        for row in answered
    ]
    return Read(said, {NO_ANSWER: len(rows) - len(said)})


def _read(data: bytes, source: str) -> list[dict[str, str | None]]:
    try:
        encoding, parse = encoding_of(data), parse_options(data)
        names = arrow_csv.open_csv(
            io.BytesIO(data), arrow_csv.ReadOptions(encoding=encoding), parse
        ).schema.names
        as_text = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        )
        read = arrow_csv.ReadOptions(encoding=encoding)
        found = arrow_csv.read_csv(io.BytesIO(data), read, parse, as_text)
    except (pa.ArrowException, UnicodeError) as error:
        why = why_unreadable(error)
        raise InputError(f"{source}: the answers cannot be read: {why}") from None
    if not {"item_id", "answer"} <= set(names):
        raise InputError(
            f"{source}: expected the columns item_id and answer; it has: {', '.join(names)}"
        )
    return [{name: _as_it_was(row[name]) for name in row} for row in found.to_pylist()]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _harmless(text: str | None) -> str:
    return f"'{text}" if text and text.startswith(FORMULA) else text or ""


def _as_it_was(text: str | None) -> str | None:
    marked = text and text.startswith("'") and text[1:].startswith(FORMULA)
    return text[1:] if text and marked else (text or "").strip() or None
