"""The sheet: a spreadsheet opens it, and what a person fills in comes back."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from lib.errors import InputError
from lib.review.answer_sheet import from_sheet, to_sheet
from lib.schemas import LABELS_SCHEMA
from tests.helpers.catalogs import label_rows

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
HEAD = "item_id,answer\n"


def items(*ids: str, **values: object) -> pa.Table:
    rows = [{**row, **values} for row in label_rows(list(ids)).to_pylist()]
    return pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)


def opened(data: bytes) -> list[dict[str, str]]:
    """Read a sheet as any program does."""
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def filled_in(data: bytes, **answers: str) -> bytes:
    rows = opened(data)
    for row in rows:
        row["answer"] = answers.get(row["item_id"].lstrip("'"), "")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_a_sheet_shows_items_in_their_order_with_the_best_five_and_no_answer() -> None:
    best: list[dict[str, Any]] = [
        {"category_id": "shirt", "probability": 0.5},
        {"category_id": "skirt", "probability": 0.25},
    ]

    rows = opened(to_sheet(items("b", "a", top_k=best, confidence=0.5), NOW))

    assert [row["item_id"] for row in rows] == ["b", "a"]
    first = rows[0]
    assert (first["best_1"], first["probability_1"]) == ("shirt", "0.5000")
    assert (first["best_2"], first["probability_2"]) == ("skirt", "0.2500")
    assert (first["best_5"], first["probability_5"], first["answer"]) == ("", "", "")
    assert first["confidence"] == "0.5000"


def test_what_is_filled_in_comes_back_with_its_image() -> None:
    sheet = to_sheet(items("a", "b"), NOW)

    read = from_sheet(filled_in(sheet, b="skirt"), "sheet.csv")

    (said,) = read.said
    (_, row) = items("a", "b").to_pylist()
    assert (said.item_id, said.answer, said.key) == ("b", "skirt", NOW.isoformat())
    assert (said.uri, said.etag) == (row["uri"], row["etag"])
    assert said.taxonomy_version == row["taxonomy_version"]
    assert read.without == {"no answer": 1}


@pytest.mark.parametrize("name", ['=HYPERLINK("http://a")', "+1", "-1", "@a", "'=a", "\ta"])
def test_no_cell_is_a_formula_and_what_was_there_comes_back(name: str) -> None:
    sheet = to_sheet(items(name.strip() or "a", uri=name, name=name), NOW)

    for row in opened(sheet):
        assert not [cell for cell in row.values() if cell[:1] in {"=", "+", "-", "@", "\t"}]
    cells = opened(sheet)
    cells[0]["answer"] = "skirt"
    text = io.StringIO()
    writer = csv.DictWriter(text, list(cells[0]))
    writer.writeheader()
    writer.writerows(cells)
    (said,) = from_sheet(text.getvalue().encode(), "sheet.csv").said
    assert (said.item_id, said.uri) == (name.strip(), name)


@pytest.mark.parametrize(
    "text",
    ["item_id;answer\na;skirt\nb;\n", "item_id\tanswer\r\na\tskirt\r\nb\t\r\n"],
    ids=["semicolons", "tabs"],
)
def test_a_sheet_as_spreadsheets_save_it_is_read(text: str) -> None:
    for encoding in ("utf8", "utf-8-sig", "utf-16"):
        read = from_sheet(text.encode(encoding), "sheet.csv")
        assert [(each.item_id, each.answer) for each in read.said] == [("a", "skirt")]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"item_id,category\na,b\n", "expected the columns item_id and answer; it has: item_id, c"),
        (HEAD.encode() + b"a,shirt\na,skirt\n", "'a' is answered here a second time; answer it "),
        (b"", "the answers cannot be read: it is empty"),
        (HEAD.encode() + b"a,\xfc\n", "the answers cannot be read: it is not text in UTF-8"),
    ],
    ids=["columns", "twice", "empty", "encoding"],
)
def test_a_sheet_that_is_none_says_why(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace("(", r"\(")) as caught:
        from_sheet(data, "sheet.csv")

    assert str(caught.value).startswith("sheet.csv: ")
