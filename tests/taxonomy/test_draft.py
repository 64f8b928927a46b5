from lib.taxonomy.draft import distinctive_words, draft_taxonomy
from lib.taxonomy.taxonomy import parse_taxonomy


def test_a_group_is_named_by_what_sets_its_titles_apart() -> None:
    titles = [
        ["Acme Men Blue Shirt", "Nord Men Shirt 42", "Acme Shirt"],
        ["Acme Men Watch", "Nord Women Steel Watch", "Acme Watch Steel"],
    ]

    shirts, watches = distinctive_words(titles)

    assert shirts[0] == "shirt"
    assert watches[:2] == ["watch", "steel"]
    assert not {"acme", "nord"} & {*shirts[:2], *watches[:2]}


def test_titles_of_numbers_and_signs_have_no_words() -> None:
    assert distinctive_words([["42", "\N{T-SHIRT}"], [], ["1.5 x 2"]]) == [[], [], []]


def test_titles_in_any_script_have_words() -> None:
    assert distinctive_words([["Синяя рубашка", "белая рубашка"]])[0][0] == "рубашка"


def test_a_draft_has_an_id_and_a_name_for_each_group_also_without_words() -> None:
    draft = draft_taxonomy([["shirt", "shirts", "blue"], [], ["shirt", "blue"]])

    names = [each.name for each in draft.categories]
    assert names == ["Shirt Blue", "Group 2", "Shirt Blue 3"]
    assert parse_taxonomy(draft.to_yaml(), "draft.yaml") == draft
