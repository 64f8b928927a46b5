"""Edits of a taxonomy: what comes of each and of chains, what is refused, and that it is read."""

import json
from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter

from lib.errors import InputError
from lib.taxonomy.edited import examples_of, finished, next_version
from lib.taxonomy.editing import described, edited
from lib.taxonomy.edits import Add, Edit, Group, Merge, Move, Part, Remove, Rename, Split, new_id
from lib.taxonomy.migration import Migration, migrate
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy
from tests.helpers.catalogs import TAXONOMY

SHIRTS = Split(
    category_id="shirt",
    parts=(
        Part(category_id="polo", name="Polos", examples=("a", "b", "c")),
        Part(category_id="blouse", name="Blouses", examples=("d", "e", "f")),
    ),
)
HATS = Add(category_id="hat", name="Hats", parent=None, examples=("x", "y", "z"))


def made(*edits: Edit) -> tuple[Taxonomy, Migration]:
    """Return the new taxonomy as it is read back from its file, and the migration to it."""
    found = finished(edited(TAXONOMY, edits), "8")
    read = parse_taxonomy(found.to_yaml(), "taxonomy.yaml")
    return read, migrate([TAXONOMY, read])


def refused(*edits: Edit) -> str:
    with pytest.raises(InputError) as caught:
        made(*edits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_renamed_category_keeps_its_id_and_its_items() -> None:
    new, migration = made(Rename(category_id="shoes", name=" Foot  wear "))
    assert new.by_id["shoes"].name == "Foot wear"
    assert not migration.for_model
    assert migration.by_rule["shoes"] == "shoes"


def test_a_moved_category_is_the_last_of_its_new_group() -> None:
    new, migration = made(Move(category_id="shirt", parent="bottoms"))
    assert new.path("shirt") == "Clothing > Bottoms > Shirts"
    assert new.replaces is not None
    assert new.replaces.moved == ("shirt",)
    assert list(new.by_id)[-3:] == ["skirt", "shirt", "shoes"]
    assert not migration.for_model


def test_merged_categories_are_settled_by_rule() -> None:
    new, migration = made(Merge(category_ids=("skirt", "trousers"), into="skirt"))
    assert new.replaces is not None
    assert new.replaces.merged == {"skirt": ("trousers", "skirt")}
    assert migration.by_rule["trousers"] == "skirt"
    assert "trousers" not in new.by_id


def test_a_split_category_needs_the_model_and_has_its_photos_as_examples() -> None:
    new, migration = made(SHIRTS)
    assert migration.for_model == ("shirt",)
    assert migration.destinies["shirt"] == ("polo", "blouse")
    assert list(new.by_id)[1:5] == ["tops", "polo", "blouse", "knitwear"]
    rows = examples_of(edited(TAXONOMY, [SHIRTS]))
    assert rows == [("a", "polo"), ("b", "polo"), ("c", "polo"),
                    ("d", "blouse"), ("e", "blouse"), ("f", "blouse")]  # fmt: skip


def test_a_category_can_be_split_below_itself() -> None:
    new, migration = made(SHIRTS.model_copy(update={"below": True}))
    assert new.path("polo") == "Clothing > Tops > Shirts > Polos"
    assert migration.destinies["shirt"] == ("polo", "blouse")


def test_an_added_category_may_take_items_of_all_others() -> None:
    new, migration = made(HATS)
    assert migration.added == ("hat",)
    assert migration.without_examples == ("hat",)
    assert new.path("hat") == "Hats"


def test_what_was_in_a_removed_category_may_be_anything() -> None:
    _, migration = made(Remove(category_id="knitwear"))
    assert migration.destinies["knitwear"] == ()


def test_what_is_in_a_removed_group_goes_one_level_up() -> None:
    new, migration = made(Remove(category_id="bottoms"))
    assert new.path("skirt") == "Clothing > Skirts"
    assert not migration.for_model


def test_a_new_group_takes_categories_in() -> None:
    new, _ = made(
        Group(category_id="knit", name="Knit", parent="tops"),
        Move(category_id="knitwear", parent="knit"),
    )
    assert new.path("knitwear") == "Clothing > Tops > Knit > Knitwear"


@pytest.mark.parametrize(
    ("edits", "destinies"),
    [
        # both of the merged ones are split
        (
            [Merge(category_ids=("knitwear",), into="shirt"), SHIRTS],
            {"knitwear": ("polo", "blouse"), "shirt": ("polo", "blouse")},
        ),
        (
            [
                Merge(category_ids=("knitwear",), into="shirt"),
                Remove(category_id="shirt"),
                Remove(category_id="tops"),
            ],
            {"knitwear": (), "shirt": ()},
        ),
        (
            [
                Merge(category_ids=("trousers",), into="skirt"),
                Merge(category_ids=("skirt",), into="shoes"),
                Remove(category_id="bottoms"),
                Rename(category_id="shoes", name="All else"),
            ],
            {"trousers": ("shoes",), "skirt": ("shoes",), "shoes": ("shoes",)},
        ),
        (
            [SHIRTS, Rename(category_id="polo", name="P"), Move(category_id="polo", parent=None)],
            {"shirt": ("polo", "blouse")},
        ),
    ],
)
def test_chains_of_edits_say_what_becomes_of_the_first(
    edits: list[Edit], destinies: dict[str, tuple[str, ...]]
) -> None:
    _, migration = made(*edits)
    for old, news in destinies.items():
        assert migration.destinies[old] == news


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([], "nothing is changed yet"),
        ([Rename(category_id="hat", name="Hats")], "there is no such category"),
        ([Rename(category_id="shirt", name=" ")], "a name has 1 to 100 letters"),
        ([Rename(category_id="shirt", name="Knitwear")], "there is a 'Knitwear' already"),
        ([Move(category_id="tops", parent="tops")], "cannot be moved into itself"),
        ([Move(category_id="clothing", parent="tops")], "cannot be moved into itself"),
        ([Move(category_id="skirt", parent="bottoms")], "it is there already"),
        ([Move(category_id="skirt", parent="shoes")], "'Shoes' has items of its own"),
        ([Merge(category_ids=("shirt",), into="shirt")], "at least one other category"),
        ([Merge(category_ids=("tops",), into="shirt")], "'Tops' is a group"),
        ([Split(category_id="shirt", parts=SHIRTS.parts[:1])], "at least two"),
        ([Split(category_id="shirt", parts=(SHIRTS.parts[0], SHIRTS.parts[0]))], "as well"),
        ([HATS.model_copy(update={"examples": ("x", "x", "y")})], "at least 3 photos; it has 2"),
        ([HATS.model_copy(update={"parent": "shirt"})], "'Shirts' has items of its own"),
        ([HATS.model_copy(update={"category_id": "shirt"})], "id 'shirt' is taken"),
        ([HATS, Merge(category_ids=("hat",), into="shirt")], "'Hats' is new in this draft"),
        ([SHIRTS, Remove(category_id="polo")], "'Polos' is new in this draft"),
        ([Group(category_id="g", name="G", parent=None)], "'G' has no category in it"),
        (
            [Merge(category_ids=("trousers", "skirt"), into="shoes")],
            "'Bottoms' has no category in it",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(edits: Sequence[Edit], why: str) -> None:
    assert why in refused(*edits)


def test_a_photo_is_an_example_of_one_category_alone() -> None:
    twice = HATS.model_copy(update={"examples": ("a", "y", "z")})
    assert "was picked for another category" in refused(SHIRTS, twice)


def test_a_later_edit_of_what_is_no_longer_there_is_named() -> None:
    said = refused(Remove(category_id="shirt"), Rename(category_id="shirt", name="Tees"))
    assert said == "'shirt' is called 'Tees': there is no such category any more"


def test_edits_are_kept_as_json() -> None:
    kept = TypeAdapter(tuple[Edit, ...])
    edits = (SHIRTS, HATS, Move(category_id="skirt", parent=None))
    text = json.dumps(kept.dump_python(edits, mode="json"))
    assert kept.validate_json(text) == edits


def test_each_edit_is_said_in_the_names_before_it() -> None:
    edits: list[Edit] = [
        Rename(category_id="shirt", name="Tees"),
        Merge(category_ids=("shirt", "skirt"), into="knitwear"),
        SHIRTS.model_copy(update={"category_id": "shoes"}),
    ]
    assert described(TAXONOMY, edits) == [
        "'Shirts' is called 'Tees'",
        "'Tees' and 'Skirts' become 'Knitwear'",
        "'Shoes' is split into 'Polos' and 'Blouses'",
    ]


def test_a_version_follows_those_that_there_have_been() -> None:
    assert next_version("7", {"7"}) == "8"
    assert next_version("7", {"7", "8"}) == "9"
    assert next_version("1.10", {"1.10"}) == "1.11"
    assert next_version("draft", {"draft"}) == "draft-2"
    assert next_version("draft", {"draft", "draft-2"}) == "draft-3"


def test_an_id_is_made_of_the_name_and_is_no_other_s() -> None:
    assert new_id("T-Shirts & Polos", {"x"}) == "t-shirts-polos"
    assert new_id("Hüte", {"hüte"}) == "hüte-2"
    assert new_id("!!", set()) == "category"
