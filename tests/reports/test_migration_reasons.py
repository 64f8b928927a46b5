import pytest

from lib.reports.migration_reasons import reason_of
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy

OLD = """
version: "1"
categories:
  - id: tops
    name: Tops
    children:
      - {id: shirt, name: Shirts}
      - {id: polo, name: Polo shirts}
      - {id: coat, name: Coats}
  - {id: hat, name: Hats}
  - {id: cap, name: Caps}
"""
NEW = """
version: "2"
replaces:
  version: "1"
  merged: {shirt: [shirt, polo]}
  split: {coat: [parka, trench]}
  renamed: {cap: baseball-cap}
categories:
  - id: tops
    name: Tops
    children:
      - {id: shirt, name: Shirts}
      - {id: parka, name: Parkas}
      - {id: trench, name: Trench coats}
  - {id: hat, name: Hats}
  - {id: baseball-cap, name: Baseball caps}
"""
MIGRATION = migrate([parse_taxonomy(OLD, "old"), parse_taxonomy(NEW, "new")])


@pytest.mark.parametrize(
    ("was", "becomes", "same_path", "reason"),
    [
        ("hat", "hat", True, "a rule: kept as it was"),
        ("hat", "hat", False, "a rule: its name or its place in the tree has changed"),
        ("cap", "baseball-cap", False, "a rule: 'cap' is now 'baseball-cap'"),
        ("polo", "shirt", False, "a rule: merged with Shirts"),
        ("hat", "shirt", False, "a rule: with its categories merged, another is likelier"),
        ("coat", "parka", False, "the model: split into Parkas, Trench coats"),
        ("tops", "shirt", False, "the model: not all categories below it are settled"),
        (None, "hat", False, "the model: it was an error"),
    ],
)
def test_a_reason_says_what_the_taxonomy_does_to_a_category(
    was: str | None, becomes: str, *, same_path: bool, reason: str
) -> None:
    assert reason_of(MIGRATION, was, becomes, same_path=same_path) == reason
