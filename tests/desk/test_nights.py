"""The sizes of categories in the last versions of the table."""

from pathlib import Path

from lib.desk.nights import Nights
from lib.labels.delta_table import LabelsTable
from tests.helpers.catalogs import LOCAL
from tests.labels.test_item_history import labelled, publish


def test_the_versions_that_still_stand_are_counted_the_oldest_first(tmp_path: Path) -> None:
    table = LabelsTable(str(tmp_path / "labels"), LOCAL)
    publish(table, "first", labelled("first", a="shirt", b="shirt"))
    publish(table, "wrong", labelled("wrong", a="skirt", b="skirt"))
    table.roll_back(0)
    publish(table, "third", labelled("third", b="shoes", c="shoes"))
    nights = Nights(table)
    assert nights.before(3) == []  # nobody waits for it
    nights.wait()
    assert nights.before(3) == [
        {("shirt", "accept"): 2},
        {("shirt", "accept"): 1, ("shoes", "accept"): 2},
    ]
    nights.close()


def test_without_earlier_versions_files_there_are_no_lines(tmp_path: Path) -> None:
    table = LabelsTable(str(tmp_path / "labels"), LOCAL)
    publish(table, "first", labelled("first", a="shirt"))
    for part in (tmp_path / "labels").glob("*.parquet"):
        part.unlink()
    nights = Nights(table)
    nights.before(0)
    nights.wait()
    assert nights.before(0) == []
