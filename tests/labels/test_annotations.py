"""People's answers: none is lost, none counts twice, and the newest of an image stands."""

import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lib.errors import InputError
from lib.labels import annotations_table
from lib.labels.annotations import Answer, newest_answers, standing_answers
from lib.labels.annotations_table import AnnotationsTable
from lib.schemas import ANNOTATIONS_SCHEMA
from tests.helpers import catalogs

START = datetime(2026, 11, 27, 9, tzinfo=UTC)


def annotation(number: int, item_id: str = "a", **values: object) -> dict[str, Any]:
    """Return an answer, the later the greater its number."""
    return {
        "annotation_id": f"{item_id}-{number}",
        "item_id": item_id,
        "uri": f"s3://shop/{item_id}",
        "etag": "1",
        "answer": Answer.CATEGORY,
        "category_id": "hat",
        "taxonomy_version": "1",
        "by": "ann",
        "at": START + timedelta(seconds=number),
        **values,
    }


def rows(*annotations: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(annotations), schema=ANNOTATIONS_SCHEMA)


def standing(*annotations: dict[str, Any], version: str = "1") -> list[tuple[str, str | None]]:
    found = standing_answers(rows(*annotations), version)
    return list(zip(found["item_id"].to_pylist(), found["category_id"].to_pylist(), strict=True))


def test_the_newest_answer_of_an_item_stands() -> None:
    assert standing(annotation(2, category_id="shirt"), annotation(1)) == [("a", "shirt")]


def test_what_was_said_of_one_image_is_not_said_of_the_next() -> None:
    found = standing(annotation(1), annotation(2, etag="2", category_id="shirt"))
    assert found == [("a", "hat"), ("a", "shirt")]


def test_without_etags_the_uri_tells_the_image() -> None:
    other = annotation(2, etag=None, uri="s3://shop/b", category_id="shirt")
    found = standing(annotation(1, etag=None), other, annotation(3, etag=None, category_id="sock"))
    assert sorted(found) == [("a", "shirt"), ("a", "sock")]


@pytest.mark.parametrize("answer", [Answer.WITHDRAWN, Answer.SPLIT])
def test_what_was_taken_back_does_not_stand_but_is_told(answer: Answer) -> None:
    both = annotation(1), annotation(2, answer=answer, category_id=None)
    assert standing(*both) == []
    assert newest_answers(rows(*both), "1")["answer"].to_pylist() == [answer]


def test_that_an_item_is_in_no_category_is_an_answer() -> None:
    assert standing(annotation(1, answer=Answer.REJECTED, category_id=None)) == [("a", None)]


def test_answers_in_another_version_of_the_taxonomy_do_not_count() -> None:
    both = annotation(1), annotation(2, taxonomy_version="2", category_id="cap")
    assert standing(*both) == [("a", "hat")]
    assert standing(*both, version="2") == [("a", "cap")]


def test_a_table_that_is_not_there_yet_has_no_answers(tmp_path: Path) -> None:
    table = AnnotationsTable(str(tmp_path / "annotations"), catalogs.LOCAL)
    assert table.version() is None
    assert table.read().num_rows == 0


def test_what_is_written_again_after_a_lost_answer_is_read_once(disk_or_s3: str) -> None:
    table = AnnotationsTable(f"{disk_or_s3}/annotations", catalogs.LOCAL)
    table.append(rows(annotation(1), annotation(1, "b")))
    table.append(rows(annotation(1)))
    assert sorted(table.read()["annotation_id"].to_pylist()) == ["a-1", "b-1"]


def test_many_small_files_become_one_and_no_answer_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations_table, "MOST_FILES", 5)
    table = AnnotationsTable(str(tmp_path / "annotations"), catalogs.LOCAL)
    for number in range(12):
        table.append(rows(annotation(number)))
        table.put_together()
    assert table.read().num_rows == 12
    assert len(DeltaTable(str(tmp_path / "annotations")).file_uris()) <= 6


def test_what_others_append_is_seen_by_who_has_read_before(disk_or_s3: str) -> None:
    one, other = (AnnotationsTable(f"{disk_or_s3}/annotations", catalogs.LOCAL) for _ in "ab")
    one.append(rows(annotation(1)))
    assert other.read().num_rows == 1
    one.append(rows(annotation(2)))
    assert (other.version(), other.read().num_rows) == (1, 2)


def test_where_a_table_was_removed_meanwhile_another_is_begun_whole(tmp_path: Path) -> None:
    place = tmp_path / "annotations"
    table = AnnotationsTable(str(place), catalogs.LOCAL)
    for number in range(3):
        table.append(rows(annotation(number)))
    shutil.rmtree(place)
    assert table.append(rows(annotation(4))) == 0
    assert AnnotationsTable(str(place), catalogs.LOCAL).read().num_rows == 1


def test_another_delta_table_is_refused(tmp_path: Path) -> None:
    place = str(tmp_path / "other")
    write_deltalake(place, pa.table({"item_id": ["a"]}))
    with pytest.raises(InputError, match="no column 'annotation_id', and is not a table of annot"):
        AnnotationsTable(place, catalogs.LOCAL).read()


def test_two_desks_that_make_the_table_at_once_lose_nothing(disk_or_s3: str) -> None:
    place = f"{disk_or_s3}/annotations"
    with ThreadPoolExecutor(4) as desks:
        list(desks.map(lambda n: _append(place, f"desk-{n}", range(3)), range(4)))
    assert AnnotationsTable(place, catalogs.LOCAL).read().num_rows == 12


def _append(place: str, name: str, numbers: Sequence[int]) -> None:
    table = AnnotationsTable(place, catalogs.LOCAL)
    for number in numbers:
        table.append(rows(annotation(number, name)))


@pytest.mark.processes
def test_nobodys_answers_are_lost_where_several_write_at_once(tmp_path: Path) -> None:
    place = str(tmp_path / "annotations")
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_append, args=(place, name, range(15))) for name in ("a", "b", "c")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    found = AnnotationsTable(place, catalogs.LOCAL).read()["annotation_id"].to_pylist()
    assert sorted(found) == sorted(f"{name}-{n}" for name in "abc" for n in range(15))
