from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.catalog.diff import COMPARED, Diff, Night, NightConfig, write_removed
from lib.schemas import ITEM_SCHEMA
from lib.sql import open_duckdb
from tests.helpers.answers import answer, table_of


def item(item_id: str, **other: str | None) -> dict[str, Any]:
    return {"item_id": item_id, "uri": f"s3://b/{item_id}", "etag": f"e-{item_id}", **other}


def label(item_id: str, **other: str | None) -> dict[str, Any]:
    known = {"error": None, "bundle_digest": "b1", "taxonomy_version": "1"}
    return {**item(item_id), **known, **other}


def write(path: Path, rows: list[dict[str, Any]], names: tuple[str, ...]) -> Path:
    types = {**{f.name: f.type for f in ITEM_SCHEMA}}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    filled = [{name: row.get(name) for name in names} for row in rows]
    parquet.write_table(pa.Table.from_pylist(filled, schema), path)
    return path


def plan(
    folder: Path,
    items: list[dict[str, Any]],
    labels: list[dict[str, Any]],
    config: NightConfig | None = None,
    *,
    full: bool = False,
    unit_size: int = 2,
    answers: pa.Table | None = None,
) -> tuple[Diff, list[str]]:
    snapshot = write(folder / "s.parquet", items, tuple(ITEM_SCHEMA.names))
    known = write(folder / "l.parquet", labels, COMPARED)
    night = Night(config or NightConfig(), "b1", "1", full=full)
    with open_duckdb() as connection:
        diff = night.plan(connection, snapshot, known, folder / "p.parquet", unit_size, answers)
    planned = parquet.read_table(folder / "p.parquet")
    assert planned.schema.equals(ITEM_SCHEMA)
    return diff, planned["item_id"].to_pylist()


def test_without_a_table_every_item_is_new(tmp_path: Path) -> None:
    diff, planned = plan(tmp_path, [item("a"), item("b")], [])
    assert planned == ["a", "b"]
    assert diff == Diff(new=2)


def test_only_what_is_new_or_has_another_etag_is_planned(tmp_path: Path) -> None:
    items = [item("a"), item("b", etag="other"), item("c")]
    diff, planned = plan(tmp_path, items, [label("a"), label("b")])
    assert planned == ["b", "c"]
    assert diff == Diff(new=1, changed=1, unchanged=1)


def test_an_image_under_another_uri_is_changed(tmp_path: Path) -> None:
    diff, _ = plan(tmp_path, [item("a", uri="s3://other/a")], [label("a")])
    assert diff == Diff(changed=1)


def test_items_without_any_etag_are_known_by_their_uri(tmp_path: Path) -> None:
    diff, _ = plan(tmp_path, [item("a", etag=None)], [label("a", etag=None)])
    assert diff == Diff(unchanged=1)


@pytest.mark.parametrize(
    ("retry", "again"),
    [("transient", ["fetch_failed"]), ("all", ["decode_failed", "fetch_failed"]), ("none", [])],
)
def test_errors_are_retried_as_the_run_file_says(
    tmp_path: Path, retry: str, again: list[str]
) -> None:
    errors = ["decode_failed", "fetch_failed"]
    rows = [label(error, error=error) for error in errors]
    diff, planned = plan(
        tmp_path, [item(e) for e in errors], rows, NightConfig.model_validate({"retry": retry})
    )
    assert planned == again
    assert diff == Diff(retried=len(again), unchanged=2 - len(again))


@pytest.mark.parametrize(
    ("part", "column"), [("bundle", "bundle_digest"), ("taxonomy", "taxonomy_version")]
)
def test_rows_of_another_bundle_or_taxonomy_are_redone_only_when_asked(
    tmp_path: Path, part: str, column: str
) -> None:
    items, labels = [item("a"), item("b")], [label("a", **{column: "old"}), label("b")]
    assert plan(tmp_path, items, labels)[0] == Diff(unchanged=2)
    diff, planned = plan(tmp_path, items, labels, NightConfig.model_validate({"redo": [part]}))
    assert planned == ["a"]
    assert diff == Diff(redone=1, unchanged=1)


def test_a_full_run_plans_unchanged_items_too(tmp_path: Path) -> None:
    diff, planned = plan(tmp_path, [item("a"), item("b")], [label("a")], full=True)
    assert planned == ["a", "b"]
    assert diff == Diff(new=1, redone=1)


@pytest.mark.parametrize("unit_size", [1, 3, 4, 100])
def test_each_unit_is_one_row_group_in_the_order_of_ids(tmp_path: Path, unit_size: int) -> None:
    ids = [f"{number:03d}" for number in range(10)]
    _, planned = plan(tmp_path, [item(i) for i in reversed(ids)], [], unit_size=unit_size)
    assert planned == ids
    metadata = parquet.read_metadata(tmp_path / "p.parquet")
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes[:-1] == [unit_size] * (len(sizes) - 1)
    assert 1 <= sizes[-1] <= unit_size


@pytest.mark.parametrize(("whole", "gone"), [(True, ["b"]), (False, [])])
def test_rows_leave_the_table_only_where_the_whole_catalog_was_seen(
    tmp_path: Path, *, whole: bool, gone: list[str]
) -> None:
    snapshot = write(tmp_path / "s.parquet", [item("a")], tuple(ITEM_SCHEMA.names))
    labels = write(tmp_path / "l.parquet", [label("a"), label("b")], COMPARED)
    with open_duckdb() as connection:
        count = write_removed(connection, snapshot, labels, tmp_path / "r.parquet", whole=whole)
    assert parquet.read_table(tmp_path / "r.parquet")["item_id"].to_pylist() == gone
    assert count == len(gone)


def names_plan(
    folder: Path, items: list[dict[str, Any]], labels: list[dict[str, Any]], *, names: bool
) -> list[str]:
    snapshot = write(folder / "s.parquet", items, tuple(ITEM_SCHEMA.names))
    known = write(folder / "l.parquet", labels, COMPARED)
    night = Night(NightConfig(), "b1", "1", full=False, names=names)
    with open_duckdb() as connection:
        night.plan(connection, snapshot, known, folder / "p.parquet", 2)
    found: list[str] = parquet.read_table(folder / "p.parquet")["item_id"].to_pylist()
    return found


@pytest.mark.parametrize("names", [False, True])
def test_another_name_is_another_item_only_where_the_bundle_uses_names(
    tmp_path: Path, *, names: bool
) -> None:
    items = [
        item("same", name="Shirt"),
        item("changed", name="Blue shirt"),
        item("lost"),
        item("of-another-bundle", name="Shirt"),
        item("without", name="Shirt"),
    ]
    labels = [
        label("same", name="Shirt"),
        label("changed", name="Shirt"),
        label("lost", name="Shirt"),
        label("of-another-bundle", bundle_digest="b0"),
        label("without"),
    ]

    planned = names_plan(tmp_path, items, labels, names=names)

    # what another bundle, or an earlier version, has labelled without a name stands
    assert planned == (["changed", "lost", "without"] if names else [])


def test_a_label_by_name_alone_is_tried_again_as_the_error_would_be(tmp_path: Path) -> None:
    items = [item("gone"), item("broken"), item("fine")]
    labels = [
        label("gone", error_detail="gone: it is not there (labelled by its name)"),
        label("broken", error_detail="decode_failed: it is damaged (labelled by its name)"),
        label("fine"),
    ]

    assert names_plan(tmp_path, items, labels, names=True) == ["gone"]


def answered(
    folder: Path, labels: list[dict[str, Any]], *answers: dict[str, Any]
) -> tuple[Diff, list[str]]:
    items = [item(each["item_id"], etag=each["etag"], uri=each["uri"]) for each in labels]
    return plan(folder, items, labels, answers=table_of(*answers))


def said(item_id: str, category_id: str | None, **other: Any) -> dict[str, Any]:  # noqa: ANN401  # of a row
    image = {"uri": f"s3://b/{item_id}", "etag": f"e-{item_id}"}
    return answer(item_id, category_id, **image | other)


def test_an_item_whose_row_does_not_show_what_a_person_says_is_planned_again(
    tmp_path: Path,
) -> None:
    labels = [
        label("new-answer", category_id="hat", decision="accept"),
        label("other-answer", category_id="hat", decision="person"),
        label("rejected", category_id="hat", decision="accept"),
        label("shown", category_id="sock", decision="person"),
        label("shown-rejected", decision="person"),
        label("untouched", category_id="hat", decision="review"),
    ]
    answers = [
        said(each, None if "rejected" in each else "sock")
        for each in ("new-answer", "other-answer", "rejected", "shown", "shown-rejected")
    ]

    diff, planned = answered(tmp_path, labels, *answers)

    assert planned == ["new-answer", "other-answer", "rejected"]
    assert diff == Diff(answered=3, unchanged=3)


def test_an_item_whose_row_shows_what_was_taken_back_is_planned_again(tmp_path: Path) -> None:
    diff, planned = answered(tmp_path, [label("a", category_id="sock", decision="person")])
    assert (diff, planned) == (Diff(answered=1), ["a"])


def test_what_is_asked_again_is_planned_until_it_is_for_review(tmp_path: Path) -> None:
    labels = [label(each, decision=each) for each in ("accept", "error", "person", "review")]
    split = [said(each, None, answer="split") for each in ("accept", "error", "person", "review")]
    assert answered(tmp_path, labels, *split)[1] == ["accept", "person"]


def test_an_answer_about_another_image_plans_nothing(tmp_path: Path) -> None:
    labels = [label("a", decision="accept"), label("b", decision="accept", etag=None)]
    others = said("a", "sock", etag="older"), said("b", "sock", etag=None, uri="s3://b/older")
    assert answered(tmp_path, labels, *others)[1] == []


def test_an_answer_about_an_image_without_an_etag_is_known_by_its_uri(tmp_path: Path) -> None:
    labels = [label("b", decision="accept", etag=None)]
    assert answered(tmp_path, labels, said("b", "sock", etag=None))[1] == ["b"]


def test_a_changed_image_is_planned_as_one_whatever_was_said_of_it(tmp_path: Path) -> None:
    labels = [label("a", category_id="sock", decision="person")]
    diff, _ = plan(tmp_path, [item("a", etag="2")], labels, answers=table_of(said("a", "sock")))
    assert diff == Diff(changed=1)


def test_answers_are_said_only_where_there_are_some() -> None:
    assert "answered" not in Diff(new=1).sentence
    assert "2 answered" in Diff(answered=2).sentence
    assert Diff(new=1, answered=2).changes == "1 new, 2 answered"


def test_what_people_have_answered_is_a_part_of_the_table_before() -> None:
    assert Diff(answered=8, removed=2).row_loss == pytest.approx(0.2)
