"""Answers move to another taxonomy by its rules, once, and what has no heir is asked again."""

from typing import Any

import pyarrow as pa
import pytest

from lib.labels.annotations import Answer, newest_answers, standing_answers
from lib.labels.carried_answers import carried_answers, with_late
from lib.taxonomy.migration import Migration, migrate, within
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers.answers import START, answer, table_of
from tests.helpers.catalogs import TAXONOMY

NEW = """\
version: "8"
replaces:
  version: "7"
  merged: {wear: [shirt, knitwear]}
  renamed: {trousers: pants}
  split: {shoes: [boots, sandals]}
  removed: [skirt]
categories:
  - {id: wear}
  - {id: bottoms, children: [{id: pants}]}
  - {id: boots}
  - {id: sandals}
"""


def migration(text: str = NEW) -> Migration:
    return migrate([TAXONOMY, parse_taxonomy(text, "new.yaml")])


def migration_with(**replaces: str) -> Migration:
    tree = "[{id: shirt}, {id: knitwear}, {id: trousers}, {id: skirt}, {id: shoes}, {id: hat}]"
    said = "".join(f"  {key}: {value}\n" for key, value in replaces.items())
    return migration(f'version: "8"\nreplaces:\n  version: "7"\n{said}categories: {tree}\n')


MOVED = migration()


def carried(*answers: dict[str, Any], by: Migration = MOVED) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = carried_answers(table_of(*answers), by).to_pylist()
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [("shirt", "wear"), ("knitwear", "wear"), ("trousers", "pants"), ("tops", "wear")],
)
def test_an_answer_becomes_what_its_category_becomes(old: str, new: str) -> None:
    (found,) = carried(given := answer("a", old, previous_category_id="skirt"))
    assert (found["answer"], found["category_id"]) == ("category", new)
    assert (found["previous_category_id"], found["previous_decision"]) == (old, "person")
    assert (found["taxonomy_version"], found["why"]) == ("8", "mapped")
    for name in ("item_id", "uri", "etag", "by", "at"):
        assert found[name] == given[name]


@pytest.mark.parametrize("old", ["shoes", "skirt", "bottoms", "clothing"])
def test_an_answer_without_one_certain_heir_is_asked_again(old: str) -> None:
    (found,) = carried(answer("a", old))
    assert (found["answer"], found["category_id"]) == ("split", None)
    assert (found["previous_category_id"], found["previous_decision"]) == (old, "person")


def test_that_an_item_is_in_no_category_is_asked_again_only_where_one_is_added() -> None:
    (stays,) = carried(answer("a", None))
    (asked,) = carried(answer("a", None), by=migration_with(added="[hat]"))
    assert (stays["answer"], asked["answer"]) == ("rejected", "split")


def test_what_is_added_takes_no_answer_away() -> None:
    (found,) = carried(answer("a", "shirt"), by=migration_with(added="[hat]"))
    assert (found["answer"], found["category_id"]) == ("category", "shirt")


def test_what_was_asked_before_is_still_asked_with_the_older_answer() -> None:
    asked = answer("a", None, answer=Answer.SPLIT, previous_category_id="tie")
    (found,) = carried(asked)
    assert (found["answer"], found["previous_category_id"]) == ("split", "tie")


def test_carrying_again_adds_nothing() -> None:
    given = [answer("a", "shirt"), answer("b", "shoes"), answer("c", None)]
    once = carried(*given)
    assert carried(*given, *once) == once


def test_of_answers_in_both_versions_the_newest_stands() -> None:
    """As after a rollback: somebody has answered in the old version, or in the new one."""
    mapped = carried(answer("a", "shirt", 1), answer("b", "shirt", 1))
    there = answer("b", "boots", 3, taxonomy_version="8")
    again = answer("a", "trousers", 4), answer("b", "trousers", 2)
    every = table_of(*mapped, there, *again)

    found = standing_answers(pa.concat_tables([every, carried_answers(every, MOVED)]), "8")

    assert found["category_id"].to_pylist() == ["pants", "boots"]


def test_what_is_taken_back_after_a_rollback_is_taken_back_in_the_new_version() -> None:
    mapped = carried(answer("a", "shirt", 1))
    back = [answer(each, None, 2, answer=Answer.WITHDRAWN) for each in ("a", "never-carried")]
    every = table_of(answer("a", "shirt", 1), *mapped, *back)

    found = carried_answers(every, MOVED)

    assert found["item_id"].to_pylist() == ["a"]
    whole = newest_answers(pa.concat_tables([every, found]), "8")
    assert whole["answer"].to_pylist() == ["withdrawn"]
    assert found["at"].to_pylist() > [START]


def test_what_comes_in_after_the_move_is_mapped_when_it_is_read() -> None:
    before = answer("a", "shirt", 1), answer("b", "trousers", 1)
    late = answer("a", "trousers", 2), answer("c", "shoes", 2)
    every = table_of(*before, *carried(*before), *late)

    found = newest_answers(with_late(every, MOVED.new), "8").to_pylist()

    assert [(row["item_id"], row["answer"], row["category_id"]) for row in found] == [
        ("a", "category", "pants"), ("b", "category", "pants"), ("c", "split", None),
    ]  # fmt: skip


def test_what_was_carried_is_found_again_and_added_no_second_time() -> None:
    before = answer("a", "shirt"), answer("b", "shoes"), answer("c", None)
    every = table_of(*before, *carried(*before))
    assert with_late(every, MOVED.new) == every


def test_an_answer_since_in_the_new_version_is_newer_than_a_late_one() -> None:
    there = answer("a", "boots", 3, taxonomy_version="8")
    found = standing_answers(with_late(table_of(answer("a", "shirt", 2), there), MOVED.new), "8")
    assert found["category_id"].to_pylist() == ["boots"]


def test_a_table_that_stays_in_its_taxonomy_keeps_its_answers() -> None:
    assert carried(answer("a", "shirt"), by=within(TAXONOMY)) == []
