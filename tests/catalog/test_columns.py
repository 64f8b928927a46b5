import io
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.catalog.columns import read_columns
from lib.errors import InputError
from tests.helpers.catalogs import LOCAL

CSV = "item_id,uri,season,price\na,a.jpg,summer,10\nb,b.jpg,,9.5\n"


def written(folder: Path, text: str) -> str:
    path = folder / "manifest.csv"
    path.write_text(text)
    return str(path)


def test_any_column_of_a_csv_is_read_as_text(tmp_path: Path) -> None:
    found = read_columns(written(tmp_path, CSV), ["price", "season"], LOCAL)

    assert found.to_pydict() == {
        "item_id": ["a", "b"],
        "price": ["10", "9.5"],
        "season": ["summer", None],
    }


def test_columns_of_parquet_are_read_as_text_whatever_their_type(tmp_path: Path) -> None:
    table = pa.table({"uri": ["a.jpg"], "year": [2026], "new": [True]})
    parquet.write_table(table, tmp_path / "manifest.parquet")

    found = read_columns(str(tmp_path / "manifest.parquet"), ["year", "new"], LOCAL)

    assert found.to_pylist() == [{"item_id": "a.jpg", "year": "2026", "new": "true"}]


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'colour'; it has: item_id, uri, season, price"):
        read_columns(written(tmp_path, CSV), ["colour"], LOCAL)


def test_a_column_of_lists_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    parquet.write_table(pa.table({"uri": ["a"], "tags": [["x"]]}), file)
    (tmp_path / "manifest.parquet").write_bytes(file.getvalue())

    with pytest.raises(InputError, match=r"'tags' is list<.*>; expected one of plain values"):
        read_columns(str(tmp_path / "manifest.parquet"), ["tags"], LOCAL)


def test_a_column_that_is_no_text_is_refused(tmp_path: Path) -> None:
    text = pa.array([b"H\xfcte"], pa.binary()).view(pa.string())
    parquet.write_table(pa.table({"uri": ["a"], "hats": text}), tmp_path / "manifest.parquet")

    with pytest.raises(InputError, match="column 'hats' is not text in UTF-8"):
        read_columns(str(tmp_path / "manifest.parquet"), ["hats"], LOCAL)


def test_a_folder_has_no_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only a manifest"):
        read_columns(str(tmp_path), ["season"], LOCAL)
