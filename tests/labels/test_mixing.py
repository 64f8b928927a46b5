from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from lib.errors import InputError
from lib.labels.history import Made, Version
from lib.labels.mixing import refuse_mixing

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(bundle: str, taxonomy: str = "1", categories: str = "") -> Made:
    """Say what a bundle's runs say; its taxonomy's categories follow from the version."""
    return Made(
        bundle=f"runs/{bundle}/bundle",
        bundle_digest=bundle,
        taxonomy_version=taxonomy,
        taxonomy_digest=categories or f"categories of {taxonomy}",
    )


def history(*runs: Made | int) -> list[Version]:
    """Return a table's history, the newest first; a number is a rollback to that version."""
    found = [
        Version(
            number=number,
            at=NOW,
            operation="MERGE" if isinstance(each, Made) else "RESTORE",
            made=each if isinstance(each, Made) else Made(),
            restored=None if isinstance(each, Made) else each,
        )
        for number, each in enumerate(runs)
    ]
    return found[::-1]


def check(
    coming: Made,
    *runs: Made | int,
    rows: dict[str, int] | None = None,
    redone: Collection[str] = (),
) -> None:
    refuse_mixing("labels", history(*runs), rows or {}, coming, redone)


def test_a_first_run_and_one_of_the_same_bundle_are_let_through() -> None:
    check(made("a"))
    check(made("a"), made("a"), rows={"1": 700})


def test_a_bundle_of_another_taxonomy_is_refused_by_the_bundle_that_made_the_labels() -> None:
    with pytest.raises(InputError) as refused:
        check(made("old", "1"), made("old", "1"), made("new", "2"), rows={"2": 762})
    assert str(refused.value) == (
        "labels: 762 of its labels are of taxonomy version 2, made by the bundle runs/new/bundle; "
        "the bundle runs/old/bundle is of version 1. Give the bundle that made them, move them "
        "with 'reshelve backfill', or classify all again with night.redo: [taxonomy]"
    )


@pytest.mark.parametrize("redone", ["taxonomy", "bundle"])
def test_labels_that_are_all_made_again_may_be_of_another_taxonomy(redone: str) -> None:
    check(made("b", "2"), made("a", "1"), rows={"1": 5}, redone=[redone])


def test_a_table_that_does_not_say_its_bundle_is_judged_by_its_rows() -> None:
    check(made("a", "1"), Made(run="runs/early"), rows={"1": 5})
    with pytest.raises(InputError, match="5 of its labels are of taxonomy version 2; the bundle"):
        check(made("a", "1"), Made(run="runs/early"), rows={"2": 5})


@pytest.mark.parametrize("redone", [(), ("taxonomy",)])
def test_other_categories_under_the_same_version_are_refused(redone: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="another taxonomy with the same version 1, made by"):
        check(made("b", "1", "others"), made("a", "1"), rows={"1": 5}, redone=redone)


def test_a_newer_bundle_of_the_same_taxonomy_is_let_through() -> None:
    check(made("b"), made("a"), rows={"1": 5})


def test_a_bundle_that_another_has_replaced_is_refused() -> None:
    with pytest.raises(InputError, match=r"runs/b/bundle, which came with version 1\. Give that"):
        check(made("a"), made("a"), made("b"), made("b"), rows={"1": 5})


def test_a_bundle_that_came_back_by_a_rollback_is_not_older() -> None:
    check(made("a"), made("a"), made("b"), 0, rows={"1": 5})


def test_an_older_bundle_may_make_all_labels_again() -> None:
    check(made("a"), made("a"), made("b"), rows={"1": 5}, redone=["bundle"])
