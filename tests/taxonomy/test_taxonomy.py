import unicodedata

import pytest

from lib.errors import InputError
from lib.taxonomy.taxonomy import Category, Taxonomy, parse_taxonomy

SHOP = """\
version: "7"
categories:
- id: clothing
  name: Clothing
  children:
  - id: tops
    name: Tops
    children:
    - id: shirt
      name: Shirt
    - id: t-shirt
  - id: hat
    name: Häte & "Caps"
- id: shoes
  name: Shoes
"""
SAME_IN_OTHER_WORDS = """\
# the same tree
categories: [
  {name: Clothing, id: clothing, children: [
    {name: Tops, children: [{id: shirt, name: 'Shirt'}, {id: t-shirt, name: t-shirt}], id: tops},
    {id: 'hat', name: "H\\xE4te & \\"Caps\\""}]},
  {id: shoes, name: Shoes}]
version: '7'
"""


def shop() -> Taxonomy:
    return parse_taxonomy(SHOP, "shop.yaml")


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_taxonomy(text, "shop.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_categories_stand_in_the_files_order_below_their_parents() -> None:
    assert shop().categories == (
        Category("clothing", "Clothing", None),
        Category("tops", "Tops", "clothing"),
        Category("shirt", "Shirt", "tops"),
        Category("t-shirt", "t-shirt", "tops"),
        Category("hat", 'Häte & "Caps"', "clothing"),
        Category("shoes", "Shoes", None),
    )


def test_leaves_are_the_categories_without_children_in_the_files_order() -> None:
    assert shop().leaves == ("shirt", "t-shirt", "hat", "shoes")


def test_ancestors_are_nearest_first() -> None:
    assert shop().ancestors("shirt") == ("tops", "clothing")
    assert shop().ancestors("shoes") == ()


def test_a_path_has_the_names_from_the_top() -> None:
    assert shop().path("shirt") == "Clothing > Tops > Shirt"
    assert shop().path("shoes") == "Shoes"


def test_a_category_without_a_name_is_named_by_its_id() -> None:
    assert shop().by_id["t-shirt"].name == "t-shirt"


def test_what_is_written_reads_back_equal() -> None:
    again = parse_taxonomy(shop().to_yaml(), "again.yaml")
    assert again == shop()
    assert again.digest == shop().digest


def test_the_digest_does_not_depend_on_formatting() -> None:
    assert parse_taxonomy(SAME_IN_OTHER_WORDS, "other.yaml").digest == shop().digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"7"', '"8"'),
        ("name: Shirt", "name: Shirts"),
        ("id: hat", "id: cap"),
        ("  - id: hat\n    name:", "- id: hat\n  name:"),  # moved to the top
    ],
)
def test_the_digest_changes_with_version_name_id_and_parent(old: str, new: str) -> None:
    assert SHOP.count(old) == 1
    assert parse_taxonomy(SHOP.replace(old, new), "other.yaml").digest != shop().digest


def test_a_version_may_be_a_whole_number() -> None:
    taxonomy = parse_taxonomy(SHOP.replace('"7"', "7"), "shop.yaml")
    assert taxonomy.version == "7"
    assert taxonomy.digest == shop().digest


@pytest.mark.parametrize(
    ("nodes", "line", "says"),
    [
        ("- id: a\n- id: b\n- id: a\n", 5, "id 'a' stands in the taxonomy a second time"),
        ("- id: a\n  children:\n  - id: a\n- id: b\n", 5, "id 'a' stands in the taxonomy"),
        ("- id: H\xfcte\n- id: b\n- id: Hu\u0308te\n", 5, "id 'H\xfcte' stands in the taxonomy a "),
        ("- id: a\n  id: b\n", 4, "'id' stands here a second time"),
        ('- id: "a\\nb"\n- id: c\n', 3, "the id of a category should be on one line"),
        ("- id: a\n- id: b\n  nmae: B\n", 4, "unknown key 'nmae'; known: id, name, children"),
        ("- id: a\n- id: b\n  1: B\n  z: C\n", 4, "unknown key '1'"),
        ("- name: A\n- id: b\n", 3, "a category needs an 'id'"),
        ("- a\n- b\n", 3, "a category needs an 'id'"),
        ("- id: 3\n- id: b\n", 3, 'an id should be a text, as in id: "3"'),
        ("- id: ' '\n- id: b\n", 3, "an id should be a text"),
        ("- id: no\n- id: b\n", 3, "an id should be a text"),
        ("- id: a\n- id: b\n  name: 3\n", 4, "the name of 'b' should be a text"),
        ("- id: a\n- id: b\n  name:\n", 4, "the name of 'b' should be a text"),
        ("- id: a\n- id: b\n  children: c\n", 5, "'children' should be a list of categories"),
        ("- id: a\n- id: b\n  children: []\n", 5, "'children' should be a list of categories"),
        ("- id: a\n- id: b\n  children: &c\n  - id: d\n    children: *c\n", 5, "contains itself"),
        ("- id: a\n- id: 2026-02-30\n", 4, "not valid YAML"),
    ],
)
def test_a_wrong_category_is_refused_with_file_and_line(nodes: str, line: int, says: str) -> None:
    message = refusal(f"version: 1\ncategories:\n{nodes}")
    assert message.startswith(f"shop.yaml, line {line}: ")
    assert says in message


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", "none"),
        ("[]", "none"),
        ("just words", "none"),
        ("version: 1\n", "version"),
        ("version: 1\ncategories: []\nextra: 1\n", "categories, extra, version"),
    ],
)
def test_a_file_without_exactly_version_and_categories_is_refused(text: str, keys: str) -> None:
    assert refusal(text) == (
        "shop.yaml: a taxonomy has two keys, 'version' and 'categories', and may have a third, "
        f"'replaces'; this file has {keys}"
    )


@pytest.mark.parametrize("version", ["", "[1]", "' '", "2026-11-01", "1.10", "yes", ".nan"])
def test_a_version_that_yaml_reads_as_something_else_is_refused_with_its_line(version: str) -> None:
    message = refusal(f"categories:\n- id: a\n- id: b\nversion: {version}\n")
    assert message.startswith("shop.yaml, line 4: 'version' should be a text in quotes")


@pytest.mark.parametrize("categories", ["3", "{id: a}", "[]", ""])
def test_categories_that_are_no_list_are_refused_with_their_line(categories: str) -> None:
    message = refusal(f"version: 1\ncategories: {categories}\n")
    assert message == "shop.yaml, line 2: 'categories' should be a list of categories"


def test_a_single_leaf_leaves_nothing_to_decide() -> None:
    assert "at least two categories" in refusal(
        "version: 1\ncategories:\n- id: a\n  children:\n  - id: b\n"
    )


def test_leaves_are_accepted_as_labels() -> None:
    shop().check_labels(["shirt", "hat", "hat"], "items.csv")


def test_labels_that_the_taxonomy_does_not_have_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        shop().check_labels(["shirt", "sock", "belt"], "items.csv")
    assert str(caught.value) == (
        "items.csv: labels 'belt', 'sock' are not in taxonomy version 7; "
        "its leaves are 'shirt', 't-shirt', 'hat', 'shoes'"
    )


def test_labels_that_have_children_are_refused() -> None:
    with pytest.raises(InputError, match=r"items.csv: labels 'tops' have children .* with leaves"):
        shop().check_labels(["shirt", "tops"], "items.csv")


def test_many_wrong_labels_make_a_short_sentence() -> None:
    with pytest.raises(InputError, match="and 95 more"):
        shop().check_labels([f"label-{number}" for number in range(100)], "items.csv")


COMPOSED = """\
version: "2"
replaces: {version: "1", renamed: {old: H\xfcte}, split: {caf\xe9: [th\xe9, b]}, added: [\xe9t\xe9]}
categories: [{id: H\xfcte, name: H\xfcte}, {id: th\xe9}, {id: b}, {id: \xe9t\xe9}]
"""


def test_ids_and_names_in_either_of_unicodes_spellings_are_the_same() -> None:
    composed = parse_taxonomy(COMPOSED, "taxonomy.yaml")
    decomposed = unicodedata.normalize("NFD", COMPOSED)
    assert decomposed != COMPOSED
    found = parse_taxonomy(decomposed, "taxonomy.yaml")
    assert found == composed
    assert found.leaves == ("H\xfcte", "th\xe9", "b", "\xe9t\xe9")
    assert found.replaces == composed.replaces
    assert found.digest == composed.digest


def test_an_old_id_in_both_spellings_is_one_that_stands_twice() -> None:
    text = COMPOSED.replace("{old: H\xfcte}", "{H\xfcte: th\xe9, Hu\u0308te: b}")
    with pytest.raises(InputError, match=r"line 2: 'Hu\u0308te' stands here a second time"):
        parse_taxonomy(text, "taxonomy.yaml")
