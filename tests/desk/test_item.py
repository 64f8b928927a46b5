"""An item's page: what is known of it, what became of it, and its answer."""

from pathlib import Path

import pytest

from lib.labels.delta_table import LabelsTable
from tests.helpers.catalogs import LOCAL
from tests.helpers.desks import Served
from tests.helpers.pages import items_of, text_of
from tests.labels.test_item_history import labelled, publish

KEY = "0123456789abcdef"


def get(desk: Served, path: str, item_id: str = "001.png") -> str:
    answer = desk.client.get(path, params={"id": item_id})
    assert answer.status_code == 200
    return answer.text


def tell(desk: Served, answer: str, **more: str) -> str:
    told: dict[str, object] = {"item": "001.png", "answer": answer, "key": KEY, **more}
    return desk.post("/item/answer", told).text


def test_an_item_shows_its_picture_its_label_and_why(desk: Served) -> None:
    html = get(desk, "/item")
    assert "/picture?size=large&amp;item=001.png" in html
    said = text_of(html)
    assert "Clothing > Bottoms > Skirts" in said
    assert "to review 75% sure, too little to accept it" in said
    assert "Clothing > Tops > Shirts 75.0 %" in said  # the model's best


def test_an_answer_is_shown_at_once_and_can_be_taken_back(desk: Served) -> None:
    assert "1 item is Shirts" in text_of(tell(desk, "category", category="shirt"))
    said = text_of(get(desk, "/item"))
    assert "Clothing > Tops > Shirts" in said
    assert "by a person" in said
    tell(desk, "withdrawn")
    assert "Clothing > Bottoms > Skirts" in text_of(get(desk, "/item"))


def test_an_answer_that_cannot_be_is_said(desk: Served) -> None:
    assert "'Hats': the taxonomy has no such category" in text_of(
        tell(desk, "category", category="Hats")
    )


def test_every_answer_and_every_label_are_its_history(desk: Served, shop: Path) -> None:
    tell(desk, "rejected")
    tell(desk, "category", category="shoes")
    publish(
        LabelsTable(str(shop / "labels"), LOCAL),
        "second",
        labelled("second", **{"001.png": "shirt"}),
    )
    said = text_of(get(desk, "/item/history"))
    answers, _, labels = said.partition("Labels")
    assert answers.index("said Shoes") < answers.index("said that it is in no category")
    assert "when it was to review as Skirts; browse; taxonomy 7" in answers
    assert labels.index("run second") < labels.index("version 0; run run-1")


def test_what_looks_like_it_can_be_decided_beside_it(desk: Served) -> None:
    found = items_of(get(desk, "/item/alike"))
    assert len(found) == 11
    assert "001.png" not in found


def test_without_embeddings_an_item_is_shown_all_the_same(desk: Served, shop: Path) -> None:
    (shop / "embeddings").rename(shop / "elsewhere")
    assert "`reshelve embed RUN.yaml` makes them" in text_of(get(desk, "/item/alike"))
    get(desk, "/item")


@pytest.mark.parametrize(
    "item_id", ["zz", "../bundle/bundle.json", "http://127.0.0.1/", "' OR ''='"]
)
def test_an_item_that_the_table_lacks_is_not_there(desk: Served, item_id: str) -> None:
    answer = desk.client.get("/item", params={"id": item_id})
    assert answer.status_code == 404
    assert "The table has no item" in text_of(answer.text)
