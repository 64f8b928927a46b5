from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lib.reasons import ErrorItem
from pipelines.classify_report import with_labels_before


def test_an_error_keeps_the_label_that_the_table_had_and_others_have_none(tmp_path: Path) -> None:
    rows = {
        "item_id": ["had", "was an error", "other"],
        "category_id": ["coat", None, "hat"],
        "category_path": ["Clothing > Coats", None, "Hats"],
    }
    before = tmp_path / "before.parquet"
    parquet.write_table(pa.table(rows), before)
    ids = ["had", "was an error", "new"]
    errors = [ErrorItem(item_id=each, uri="", code="empty", detail="") for each in ids]

    found = with_labels_before(errors, before)

    assert [each.was for each in found] == ["Clothing > Coats", None, None]
