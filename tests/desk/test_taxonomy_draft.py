"""A draft of a taxonomy outlives the desk, and nothing that it writes over is lost."""

from pathlib import Path

import pytest

from lib.backfill.labelled_items import read_examples
from lib.desk.taxonomy_draft import DraftFile
from lib.errors import InputError
from lib.taxonomy.edited import Edited
from lib.taxonomy.edits import Add, Edit, Merge, Remove, Rename
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy, read_taxonomy
from tests.helpers.catalogs import LOCAL, TAXONOMY, TAXONOMY_YAML

HATS = Add(category_id="hat", name="Hats", parent=None, examples=('a,"b"', "00,1", "é"))
TEES = Rename(category_id="shirt", name="Tees")


@pytest.fixture
def file(tmp_path: Path) -> DraftFile:
    (tmp_path / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    return DraftFile(str(tmp_path / "taxonomy.yaml"), LOCAL)


def add(file: DraftFile, edit: Edit, revision: int = 0) -> None:
    file.add(TAXONOMY, revision, lambda _: edit, "ann")


def test_a_draft_is_there_after_the_desk_has_ended(file: DraftFile) -> None:
    add(file, TEES)
    later = DraftFile(file.taxonomy, LOCAL).read(TAXONOMY)
    assert later.edits == [TEES]
    assert later.noted[0].by == "ann"
    assert read_taxonomy(file.taxonomy, LOCAL) == TAXONOMY


def test_two_who_edit_at_once_are_told_of_each_other(file: DraftFile) -> None:
    add(file, TEES, 0)
    with pytest.raises(InputError, match="somebody else has changed the draft"):
        add(file, HATS, 0)


def test_an_edit_that_cannot_be_made_changes_nothing(file: DraftFile) -> None:
    with pytest.raises(InputError, match="there is no such category"):
        add(file, Remove(category_id="coat"))
    assert file.read(TAXONOMY).edits == []


def test_an_edit_is_taken_back_unless_a_later_one_needs_it(file: DraftFile) -> None:
    add(file, HATS, 0)
    add(file, TEES, 1)
    add(file, Rename(category_id="hat", name="Caps"), 2)
    with pytest.raises(InputError, match="'hat' is called 'Caps': there is no such category"):
        file.take_back(TAXONOMY, 3, 0)
    assert file.take_back(TAXONOMY, 3, 1).edits[0] == HATS


def test_what_is_written_is_the_new_taxonomy_and_the_old_one_is_kept(file: DraftFile) -> None:
    add(file, HATS)
    saved = file.save(TAXONOMY, 1, {"7"})
    new = read_taxonomy(file.taxonomy, LOCAL)
    assert (saved.version, new.version, saved.digest) == ("8", "8", new.digest)
    assert migrate([TAXONOMY, new]).added == ("hat",)
    kept = Path(file.taxonomy).with_name("taxonomy-7.yaml")
    assert kept.read_text() == TAXONOMY_YAML
    assert saved.examples is not None
    found = read_examples(saved.examples, new, LOCAL)
    assert found["item_id"].to_pylist() == ['a,"b"', "00,1", "é"]
    assert file.read(TAXONOMY).is_saved


def test_a_draft_is_written_again_as_the_same_version(file: DraftFile) -> None:
    add(file, TEES)
    file.save(TAXONOMY, 1, {"7"})
    add(file, Merge(category_ids=("skirt",), into="trousers"), 1)
    assert not file.read(TAXONOMY).is_saved
    saved = file.save(TAXONOMY, 2, {"7"})
    assert saved.version == "8"
    assert "skirt" not in read_taxonomy(file.taxonomy, LOCAL).by_id
    assert saved.examples is None


def test_a_taxonomy_of_somebody_else_in_the_same_place_is_not_lost(file: DraftFile) -> None:
    add(file, TEES)
    file.save(TAXONOMY, 1, {"7"})
    theirs = TAXONOMY_YAML.replace("Knitwear", "Knits")
    Path(file.taxonomy).write_text(theirs)
    with pytest.raises(InputError, match="two taxonomies of version 7"):
        file.save(TAXONOMY, 1, {"7"})
    assert Path(file.taxonomy).read_text() == theirs


def test_a_draft_is_over_once_the_table_has_moved_to_it(file: DraftFile) -> None:
    add(file, TEES)
    file.save(TAXONOMY, 1, {"7"})
    moved = read_taxonomy(file.taxonomy, LOCAL)
    assert file.read(moved).edits == []
    add_to_moved = file.add(moved, 0, lambda _: Rename(category_id="shoes", name="Feet"), "bob")
    assert add_to_moved.base_version == "8"


def test_a_draft_of_another_taxonomy_is_in_the_way_until_it_is_thrown_away(
    file: DraftFile,
) -> None:
    add(file, TEES)
    other = parse_taxonomy(TAXONOMY_YAML.replace('"7"', '"9"'), "other.yaml")
    with pytest.raises(InputError, match="the draft is of version 7"):
        file.add(other, 1, lambda _: HATS, "ann")
    file.throw_away()
    assert file.add(other, 0, lambda _: HATS, "ann").base_version == "9"


def test_an_id_is_made_of_the_tree_as_it_is(file: DraftFile) -> None:
    add(file, HATS)
    seen: list[Edited] = []

    def look(before: Edited) -> Edit:
        seen.append(before)
        return TEES

    file.add(TAXONOMY, 1, look, "ann")
    assert "hat" in seen[0].categories
