from pathlib import Path

import pytest

from lib.backfill.labelled_items import read_examples
from lib.errors import InputError
from tests.helpers.catalogs import LOCAL, TAXONOMY

TEXT = f"item_id;category_id\nH\xfcte.jpg;{TAXONOMY.leaves[0]}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_examples_of_a_spreadsheet_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "examples.csv"
    path.write_bytes(TEXT.encode(encoding))

    assert read_examples(str(path), TAXONOMY, LOCAL)["item_id"].to_pylist() == ["H\xfcte.jpg"]


def test_examples_in_another_encoding_say_how_to_save_them(tmp_path: Path) -> None:
    path = tmp_path / "examples.csv"
    path.write_bytes(TEXT.encode("cp1252"))

    with pytest.raises(InputError, match="the examples cannot be read: it is not text in UTF-8"):
        read_examples(str(path), TAXONOMY, LOCAL)
