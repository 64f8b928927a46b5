"""The tree of categories: open along one path, with counts that add up."""

from typing import TYPE_CHECKING

from lib.desk.tree import branches, sums, totals
from tests.helpers.catalogs import TAXONOMY

if TYPE_CHECKING:
    from lib.desk.places import Counts

COUNTS = {
    ("shirt", "accept"): 5,
    ("shirt", "review"): 2,
    ("tops", "parent"): 1,
    ("shoes", "person"): 3,
    (None, "error"): 4,
    ("of-another-taxonomy", "accept"): 1,
}


def test_a_category_counts_what_stands_below_it() -> None:
    found = sums(TAXONOMY, COUNTS)
    assert found["clothing"] == {"accept": 5, "review": 2, "parent": 1}
    assert found["tops"] == found["clothing"]
    assert found["shoes"] == {"person": 3}
    assert found[None] == {"error": 4, "accept": 1}


def test_only_the_chosen_path_is_open() -> None:
    assert [each.category_id for each in branches(TAXONOMY, COUNTS)] == ["clothing", "shoes"]
    found = branches(TAXONOMY, COUNTS, chosen="shirt")
    shown = [(each.category_id, each.depth, each.total) for each in found]
    assert shown == [
        ("clothing", 0, 8),
        ("tops", 1, 8),
        ("shirt", 2, 7),
        ("knitwear", 2, 0),
        ("bottoms", 1, 0),
        ("shoes", 0, 3),
    ]


def test_a_branch_has_its_size_in_each_night() -> None:
    nights: list[Counts] = [
        {("shirt", "accept"): 1},
        {("shirt", "accept"): 2, ("shoes", "accept"): 9, (None, "error"): 1},
    ]
    found = [totals(TAXONOMY, each) for each in nights]
    assert [each[None] for each in found] == [1, 12]
    clothing, shoes = branches(TAXONOMY, COUNTS, found)
    assert clothing.nights == [1, 2]
    assert shoes.nights == [0, 9]
