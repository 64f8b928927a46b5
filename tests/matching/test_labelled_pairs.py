from pathlib import Path

import pytest

from lib.errors import InputError
from lib.matching.labelled_pairs import read_labelled_pairs
from tests.helpers.catalogs import LOCAL

HEAD = "left_id,right_id,same\n"
ENOUGH = "".join(f"a{n},b{n},1\na{n},c{n},0\n" for n in range(20))


def read(path: Path, text: str, *, within_one: bool = False) -> int:
    path.write_text(text)
    return len(read_labelled_pairs(str(path), LOCAL, within_one=within_one).same)


def test_pairs_are_read_each_once(tmp_path: Path) -> None:
    assert read(tmp_path / "pairs.csv", HEAD + ENOUGH + "a1,b1,true\n") == 40


def test_within_one_catalog_a_pair_is_the_same_either_way_round(tmp_path: Path) -> None:
    assert read(tmp_path / "pairs.csv", HEAD + ENOUGH + "b1,a1,1\n", within_one=True) == 40


@pytest.mark.parametrize(
    ("text", "within_one", "said"),
    [
        (HEAD + ENOUGH + "a1,b1,0\n", False, "line 42 contradicts line 4: 'a1' and 'b1'"),
        (HEAD + ENOUGH + "b1,a1,0\n", True, "line 42 contradicts line 4"),
        (HEAD + "a,b,maybe\n", False, "line 2: expected the ids of two items, and 1 for the same"),
        (HEAD + "a,,1\n", False, "line 2: expected the ids"),
        (HEAD + "a,a,1\n", True, "line 2: expected the ids of two items"),
        (HEAD + f"a,{'b' * 200_000},1\n", False, "line 2: this is not CSV: field larger than"),
        ("left,right,same\n", False, "the column left_id is missing"),
        ("", False, "the column left_id is missing"),
        (HEAD + "a,b,1\n", False, "1 of 1 pairs are the same; weights are learned from 20"),
    ],
)
def test_pairs_that_cannot_be_used_are_refused_in_a_sentence(
    tmp_path: Path,
    text: str,
    within_one: bool,  # noqa: FBT001  # a parameter of the test
    said: str,
) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path / "pairs.csv", text, within_one=within_one)
