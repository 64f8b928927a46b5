"""The taxonomy's page: edits become a draft, refusals are said, and the files are written."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.taxonomy.taxonomy import read_taxonomy
from tests.helpers.catalogs import LOCAL, TAXONOMY_YAML
from tests.helpers.desks import Served, config_of, served
from tests.helpers.questions import make_questions

SHIRTS = [f"{n:03d}.{('jpg', 'png', 'webp')[n % 3]}" for n in range(0, 12, 2)]


@pytest.fixture
def desk(shop: Path) -> Iterator[Served]:
    (shop / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    with served(config_of(shop, taxonomy=str(shop / "taxonomy.yaml"))) as found:
        yield found


def split(revision: int = 0, **more: object) -> dict[str, object]:
    """Return the form of a split of the shirts by six photos."""
    examples = [f"{n // 3}:{item}" for n, item in enumerate(SHIRTS)]
    return {
        "revision": revision, "category": "shirt", "part": ["Polos", "Blouses"],
        "example": examples, "active": "0", **more,
    }  # fmt: skip


def test_the_tree_is_shown_with_the_items_of_each_category(desk: Served) -> None:
    text = desk.client.get("/taxonomy").text
    assert "Shirts" in text
    assert "6 items" in text
    assert "Nothing is changed yet" in text


def test_an_edit_is_shown_in_the_tree_and_in_the_draft_and_moves_no_file(
    desk: Served, shop: Path
) -> None:
    answer = desk.post(
        "/taxonomy/rename", {"revision": 0, "category": "shirt", "name": "<b>Tees</b>"}
    )
    assert answer.status_code == 200
    assert "&lt;b&gt;Tees&lt;/b&gt;" in answer.text
    assert "<b>Tees" not in answer.text
    assert (shop / "taxonomy.yaml").read_text() == TAXONOMY_YAML


@pytest.mark.parametrize(
    ("path", "form", "why"),
    [
        ("move", {"category": "clothing", "parent": "tops"}, "moved into itself"),
        ("merge", {"category": "shirt", "into": "tops"}, "is a group"),
        ("remove", {"category": "../../etc"}, "no such category"),
        ("group", {"name": "Tops", "parent": "clothing"}, "already in the same place"),
        ("take-back", {"place": 0, "revision": 5}, "somebody else has changed the draft"),
    ],
)
def test_what_cannot_be_is_said_where_it_was_asked(
    desk: Served, path: str, form: dict[str, object], why: str
) -> None:
    answer = desk.post(f"/taxonomy/{path}", {"revision": 0, **form})
    assert answer.status_code == 400
    assert answer.headers["x-refused"] == "yes"
    assert why in answer.text


def test_a_split_by_photos_is_written_with_its_examples(desk: Served, shop: Path) -> None:
    answer = desk.post("/taxonomy/split", split())
    assert answer.headers["hx-redirect"] == "/taxonomy"
    shown = desk.client.get("/taxonomy/changes").text
    assert "1 category changes, with 6 items" in shown
    assert "is split into Clothing &gt; Tops &gt; Polos or" in shown

    answer = desk.post("/taxonomy/save", {"revision": 1})

    assert answer.headers["hx-redirect"] == "/taxonomy/changes"
    new = read_taxonomy(str(shop / "taxonomy.yaml"), LOCAL)
    assert new.version == "8"
    assert new.replaces
    assert new.replaces.split == {"shirt": ("polos", "blouses")}
    with (shop / "taxonomy-8-examples.csv").open() as file:
        rows = [(row["item_id"], row["category_id"]) for row in csv.DictReader(file)]
    assert rows == [(item, ("polos", "blouses")[n // 3]) for n, item in enumerate(SHIRTS)]
    assert (shop / "taxonomy-7.yaml").read_text() == TAXONOMY_YAML


def test_parts_of_one_name_or_with_too_few_photos_are_refused(desk: Served) -> None:
    same = desk.post("/taxonomy/split", split(part=["Polos", "Polos"]))
    assert "there is a &#39;Polos&#39; already" in same.text
    few = desk.post("/taxonomy/split", split(example=["0:a", "0:b", "0:c", "1:d"]))
    assert "&#39;Blouses&#39; needs at least 3 photos; it has 1" in few.text
    none = desk.post("/taxonomy/add", {"revision": 0, "part": "Hats"})
    assert "needs at least 3 photos; it has 0" in none.text


def test_a_category_is_added_from_photos_whatever_its_item_ids_hold(
    desk: Served, shop: Path
) -> None:
    odd = ['a:"b"', "<c>", "d/../e"]
    form = {"revision": 0, "part": "Hats", "parent": "tops", "example": [f"0:{e}" for e in odd]}
    desk.post("/taxonomy/add", form)
    draft = json.loads((shop / "taxonomy-draft.json").read_text())
    assert draft["noted"][0]["edit"]["examples"] == odd
    assert desk.client.get("/taxonomy/changes").status_code == 200


def test_photos_to_pick_are_of_a_category_or_wait_for_a_person(desk: Served) -> None:
    def picked(**query: str) -> list[str]:
        text = desk.client.get("/taxonomy/photos", params=query).text
        return [each.partition('"')[0] for each in text.split('data-item="')[1:]]

    assert sorted(picked(of="shirt")) == SHIRTS
    assert len(picked(of="?")) == 6
    assert len(picked()) == 12
    assert picked(of="shirt", title="004") == ["004.png"]
    assert picked(of="shirt' OR 1=1 --") == []
    assert picked(of="shirt", first="60") == []


def test_a_change_is_taken_back_and_a_draft_thrown_away(desk: Served, shop: Path) -> None:
    desk.post("/taxonomy/remove", {"revision": 0, "category": "shoes"})
    assert (
        "Nothing is changed yet"
        in desk.post("/taxonomy/take-back", {"revision": 1, "place": 0}).text
    )
    desk.post("/taxonomy/remove", {"revision": 2, "category": "shoes"})
    desk.post("/taxonomy/throw-away", {})
    assert not (shop / "taxonomy-draft.json").exists()


def test_a_desk_without_a_file_shows_the_tree_and_changes_nothing(shop: Path) -> None:
    with served(config_of(shop)) as desk:
        assert "has named no file for it" in desk.client.get("/taxonomy").text
        form = {"revision": 0, "category": "shirt", "name": "Tees"}
        answer = desk.post("/taxonomy/rename", form)
    assert answer.status_code == 400
    assert "this desk edits no taxonomy" in answer.text


@pytest.mark.parametrize(("waiting", "of"), [(1, "%3F"), (0, "")])
def test_photos_for_a_new_category_are_at_first_those_that_wait_if_any(
    tmp_path: Path, waiting: int, of: str
) -> None:
    make_questions(tmp_path, waiting, accepted=5)
    (tmp_path / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    with served(config_of(tmp_path, taxonomy=str(tmp_path / "taxonomy.yaml"))) as desk:
        assert f'hx-get="/taxonomy/photos?of={of}"' in desk.client.get("/taxonomy/add").text
