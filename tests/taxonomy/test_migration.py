import pytest

from lib.errors import InputError
from lib.taxonomy.migration import Migration, migrate
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy

OLD = """\
version: "1"
categories:
  - id: tops
    children: [{id: shirt}, {id: t-shirt}]
  - id: shorts
  - id: bottoms
    children: [{id: pants}, {id: skirt}]
  - {id: outwear, name: Outwear}
  - {id: shoes}
"""
NEW_TREE = """\
categories:
  - id: tops
  - id: bottoms
    children: [{id: pants}, {id: skirt}, {id: shorts}]
  - {id: outerwear, name: Outerwear}
  - id: footwear
    children: [{id: sneakers}, {id: boots}]
"""
REPLACES = """\
replaces:
  version: "1"
  merged: {tops: [shirt, t-shirt]}
  moved: [shorts]
  renamed: {outwear: outerwear}
  split: {shoes: [sneakers, boots]}
"""


def taxonomy(text: str) -> Taxonomy:
    return parse_taxonomy(text, "taxonomy.yaml")


def new(replaces: str = REPLACES, tree: str = NEW_TREE, version: str = "2") -> Taxonomy:
    return taxonomy(f'version: "{version}"\n{replaces}{tree}')


def refusal(replaces: str, tree: str = NEW_TREE) -> str:
    with pytest.raises(InputError) as caught:
        migrate([taxonomy(OLD), new(replaces, tree)])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def whole() -> Migration:
    return migrate([taxonomy(OLD), new()])


def test_a_merge_a_move_and_a_rename_are_settled_by_rule() -> None:
    assert whole().by_rule == {
        "shirt": "tops",
        "t-shirt": "tops",
        "shorts": "shorts",
        "pants": "pants",
        "skirt": "skirt",
        "outwear": "outerwear",
    }


def test_a_split_needs_the_model_and_new_examples() -> None:
    assert whole().for_model == ("shoes",)
    assert whole().destinies["shoes"] == ("sneakers", "boots")
    assert whole().without_examples == ("sneakers", "boots")


def test_where_a_category_is_added_every_row_needs_the_model_but_old_labels_still_count() -> None:
    tree = NEW_TREE + "  - {id: hat}\n"
    migration = migrate([taxonomy(OLD), new(REPLACES + "  added: [hat]\n", tree)])

    assert migration.by_rule == {}
    assert migration.certain["shirt"] == "tops"
    assert migration.without_examples == ("sneakers", "boots", "hat")


def test_items_of_a_removed_category_may_be_anything() -> None:
    tree = NEW_TREE.replace("  - {id: outerwear, name: Outerwear}\n", "")
    migration = migrate(
        [taxonomy(OLD), new(REPLACES.replace("renamed: {outwear: outerwear}", "removed: [outwear]"),
                            tree)]
    )  # fmt: skip

    assert migration.for_model == ("outwear", "shoes")
    assert migration.allowed["outwear"] == set(migration.new.by_id)


def test_a_row_of_a_parent_may_become_what_its_leaves_become() -> None:
    assert whole().allowed["tops"] == {"tops"}
    assert whole().allowed["shoes"] == {"sneakers", "boots", "footwear"}


def test_a_category_is_settled_where_all_below_it_are() -> None:
    assert {"tops", "bottoms", "shorts"} <= whole().settled
    assert "shoes" not in whole().settled


def test_chains_compose_into_one_map() -> None:
    third = taxonomy("""\
version: "3"
replaces: {version: "2", merged: {legwear: [pants, skirt, shorts]}, renamed: {sneakers: trainers}}
categories: [{id: tops}, {id: legwear}, {id: outerwear}, {id: trainers}, {id: boots}]
""")
    migration = migrate([taxonomy(OLD), new(), third])

    assert (migration.old.version, migration.new.version) == ("1", "3")
    assert migration.by_rule["shorts"] == "legwear"
    assert migration.by_rule["shirt"] == "tops"
    assert migration.destinies["shoes"] == ("trainers", "boots")


def test_a_split_that_a_later_version_takes_back_is_a_rule_again() -> None:
    third = taxonomy("""\
version: "3"
replaces: {version: "2", merged: {shoes: [sneakers, boots]}}
categories: [{id: tops}, {id: pants}, {id: skirt}, {id: shorts}, {id: outerwear}, {id: shoes}]
""")
    assert migrate([taxonomy(OLD), new(), third]).by_rule["shoes"] == "shoes"


def test_what_may_partly_be_anything_may_be_anything() -> None:
    third = taxonomy("""\
version: "3"
replaces: {version: "2", removed: [boots]}
categories: [{id: tops}, {id: pants}, {id: skirt}, {id: shorts}, {id: outerwear}, {id: sneakers}]
""")
    migration = migrate([taxonomy(OLD), new(), third])

    assert migration.destinies["shoes"] == ()
    assert "shoes" in migration.for_model


def test_an_old_category_without_a_destiny_is_refused_by_name() -> None:
    assert "does not say what becomes of 'outwear'" in refusal(
        REPLACES.replace("  renamed: {outwear: outerwear}\n", "")
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('version: "1"', 'version: "0"'), "replaces version 0, not 1"),
        (("moved: [shorts]", "moved: [pants]"), "'pants' is moved, but its parent is the same"),
        (
            ("moved: [shorts]", "moved: [socks]"),
            "names 'socks', but version 1 has no such category",
        ),
        (("sneakers, boots", "sneakers, sandals"), "becomes 'sandals', which is not there"),
        (("sneakers, boots", "sneakers, footwear"), "has categories below it"),
        (("moved: [shorts]", "removed: [shorts]"), "'shorts' is removed, but it is there"),
        (("moved: [shorts]", "added: [shorts]"), "'shorts' is added; expected a new category"),
        (("sneakers, boots", "sneakers, pants"), "becomes 'boots'; name it under 'added'"),
        (("merged: {tops: [shirt, t-shirt]}", "split: {bottoms: [pants, tops]}"), "second time"),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_name(change: tuple[str, str], said: str) -> None:
    assert said in refusal(REPLACES.replace(*change))


def test_an_inner_category_cannot_be_split_since_its_leaves_have_destinies() -> None:
    replaces = REPLACES.replace("split: {", "split: {bottoms: [pants, tops], ")
    assert "'bottoms' has categories below it" in refusal(replaces)


def test_a_taxonomy_that_says_nothing_of_the_one_before_is_refused() -> None:
    assert "does not say what it replaces" in refusal("")


@pytest.mark.parametrize(
    ("replaces", "said"),
    [
        ("replaces: {version: '1', merge: {}}\n", "line 2: 'replaces.merge' is not known"),
        ("replaces: {split: {a: [b, c]}}\n", "'replaces.version' is missing"),
        ("replaces: {version: '1', split: {a: [b]}}\n", "'a' is split into one"),
        ("replaces: {version: '1', removed: [a], renamed: {a: b}}\n", "what becomes of 'a'"),
    ],
)
def test_a_wrong_key_of_replaces_is_refused_with_its_line(replaces: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        new(replaces)
    assert said in str(caught.value)
    assert str(caught.value).startswith("taxonomy.yaml, line 2")


def test_what_a_taxonomy_replaces_is_kept_when_it_is_written_and_not_in_its_digest() -> None:
    again = taxonomy(new().to_yaml())

    assert again == new()
    assert again.digest == new("").digest
