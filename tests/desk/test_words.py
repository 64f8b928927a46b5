"""Names are found by parts of their words, as they would be if each name were looked through."""

import pyarrow as pa
import pytest

from lib.desk.words import Words

NAMES = [
    "Red shirt", "RED-SHIRT, XL", None, "Tired shirtmaker's stool", "", "Ünïque RED", "shirt",
    "red_shirt red", "赤いシャツ red",
]  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["looked through", "indexed"])
def names(request: pytest.FixtureRequest) -> Words:
    found = Words(pa.chunked_array([NAMES[:4], NAMES[4:]], pa.string()))
    if request.param:
        found.make_index()
    return found


@pytest.mark.parametrize(
    "parts",
    [["red"], ["red", "shirt"], ["irt"], ["ünïque"], ["xl", "red"], ["シャツ"], ["green"]],
    ids=str,
)
def test_an_item_is_found_where_its_name_has_each_part(names: Words, parts: list[str]) -> None:
    wanted = [
        place
        for place, name in enumerate(NAMES)
        if name and all(part in name.lower() for part in parts)
    ]
    assert names.having(parts).tolist() == wanted


def test_items_are_told_how_many_parts_they_share(names: Words) -> None:
    found, shared = names.sharing(["red", "shi", "xl"], 2)
    assert dict(zip(found.tolist(), shared.tolist(), strict=True)) == {0: 2, 1: 3, 3: 2, 7: 2}


def test_names_and_their_lengths_are_at_hand(names: Words) -> None:
    found = names.having(["red", "shirt"])
    assert names.at(found) == ["Red shirt", "RED-SHIRT, XL", "Tired shirtmaker's stool", NAMES[7]]
    assert names.length[found].tolist() == [9, 13, 24, 13]


@pytest.mark.parametrize("given", [[], [None, None], [""]], ids=str)
def test_of_no_names_none_is_found(given: list[str | None]) -> None:
    names = Words(pa.chunked_array([given], pa.string()))
    for _ in range(2):
        assert names.having(["red"]).tolist() == []
        names.make_index()
