"""Sheets of items, by what an address asks for, and many decided at once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from lib.schemas import LABELS_SCHEMA
from tests.helpers.catalogs import TAXONOMY, label_rows, make_bundle
from tests.helpers.desks import Served, config_of, served
from tests.helpers.pages import items_of, link_of, text_of
from tests.helpers.searched import publish

if TYPE_CHECKING:
    from lib.desk.places import Counts

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 labelled items, `i000` the surest, of three categories and two runs; two are errors."""
    folder = tmp_path_factory.mktemp("catalog")
    ids = [f"i{number:03d}" for number in range(150)]
    rows = label_rows(ids, broken=["i148", "i149"]).to_pylist()
    for number, row in enumerate(rows):
        row["name"] = f"Shirt number {number}"
        row["run_id"] = "late" if number >= 100 else "early"
        row["classified_at"] = datetime(2026, 11, 24 if number >= 100 else 23, 12, tzinfo=UTC)
        if row["error"]:
            continue
        category = ["shirt", "skirt", "shoes"][number % 3]
        row |= {"category_id": category, "category_path": TAXONOMY.path(category)}
        row |= {
            "confidence": 0.99 - number / 200,
            "decision": "accept" if number < 90 else "review",
        }
    publish(
        folder,
        pa.Table.from_pylist(rows, schema=LABELS_SCHEMA),
        make_bundle(str(folder / "bundle")).made,
    )
    return folder


@pytest.fixture
def browsed(catalog: Path, tmp_path: Path) -> Iterator[Served]:
    config = config_of(catalog, annotations=str(tmp_path / "annotations"))
    with served(config) as found:
        yield found


def sheet(desk: Served, address: str) -> list[str]:
    answer = desk.client.get(address)
    assert answer.status_code == 200, text_of(answer.text)
    return items_of(answer.text)


def numbers(found: list[str]) -> list[int]:
    return [int(each[1:]) for each in found]


def test_the_doubtful_ones_come_first(browsed: Served) -> None:
    assert numbers(sheet(browsed, "/browse")) == list(range(147, 87, -1))
    assert numbers(sheet(browsed, "/browse?order=sure")) == list(range(60))
    assert sheet(browsed, "/browse?order=item")[0] == "i000"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("category=shirt&decision=review", [n for n in range(90, 148) if n % 3 == 0]),
        ("category=clothing&decision=review", [n for n in range(90, 148) if n % 3 != 2]),
        ("least=60&most=61", [76, 77, 78]),
        ("run=late&decision=error", [148, 149]),
        ("error=gone", [148, 149]),
        ("since=2026-11-24&category=shoes", [n for n in range(100, 148) if n % 3 == 2]),
        ("until=2026-11-23&least=98", [0, 1, 2]),
        ("category=hat", []),
        ("decision=person", []),
    ],
)
def test_filters_are_combined(browsed: Served, asked: str, wanted: list[int]) -> None:
    assert sorted(numbers(sheet(browsed, f"/browse?{asked}"))) == wanted


@pytest.mark.parametrize("order", ["doubtful", "sure", "item"])
def test_pages_have_each_item_once_forwards_and_backwards(browsed: Served, order: str) -> None:
    address: str | None = f"/browse?order={order}"
    pages, html = list[list[str]](), ""
    while address:
        html = browsed.client.get(address).text
        pages.append(items_of(html))
        address = link_of(html, "next")
    assert [len(each) for each in pages] == [60, 60, 30]
    assert len({each for found in pages for each in found}) == 150
    back = [pages[-1]]
    while address := link_of(html, "prev"):
        html = browsed.client.get(address).text
        back.append(items_of(html))
    assert back[::-1] == pages


def test_a_page_whose_first_items_were_decided_meanwhile_passes_none_over(browsed: Served) -> None:
    first = browsed.client.get("/browse?decision=review&order=item").text
    left = link_of(browsed.client.get("/browse?decision=review&order=item").text, "next")
    assert left is None  # 58 are for review
    marked = items_of(first)[9]
    decide(browsed, items_of(first)[:10], "rejected")
    after = sheet(browsed, f"/browse?decision=review&order=item&after={marked}")
    assert after == items_of(first)[10:]


def decide(desk: Served, items: list[str], answer: str, **more: str) -> str:
    told: dict[str, object] = {"item": items, "answer": answer, "key": KEY, **more}
    said = desk.post("/browse/answer", told)
    return said.text


def test_many_are_decided_at_once_and_leave_the_sheet(browsed: Served) -> None:
    chosen = ["i090", "i091", "i092"]
    html = decide(browsed, chosen, "category", category="Knitwear", sheet="?decision=review")
    assert "3 items are Knitwear" in text_of(html)
    assert not {*chosen} & {*items_of(html)}
    for each in chosen:
        item = browsed.desk.table.item(each)
        assert item
        assert (item["category_id"], item["decision"], item["why"]) == (
            "knitwear",
            "person",
            "browse",
        )
    found = browsed.desk.annotations.read().to_pylist()
    assert sorted(each["item_id"] for each in found) == chosen
    assert "3 person" in text_of(browsed.client.get("/browse?category=knitwear").text)


def test_those_that_are_right_keep_each_its_own_category(browsed: Served) -> None:
    decide(browsed, ["i090", "i091"], "right")
    found = {
        each["item_id"]: each["category_id"] for each in browsed.desk.table.items(["i090", "i091"])
    }
    assert found == {"i090": "shirt", "i091": "skirt"}


def test_a_decision_is_undone(browsed: Served) -> None:
    html = decide(browsed, ["i090"], "rejected", sheet="")
    assert 'value="withdrawn"' in html
    decide(browsed, ["i090"], "withdrawn")
    item = browsed.desk.table.item("i090")
    assert item
    assert (item["category_id"], item["decision"]) == ("shirt", "review")


def test_an_answer_that_is_sent_again_is_there_once(browsed: Served) -> None:
    for _ in range(2):
        decide(browsed, ["i090"], "category", category="shoes")
    assert browsed.desk.annotations.read().num_rows == 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"answer": "category", "category": "Hats"}, "'Hats': the taxonomy has no such category"),
        ({"answer": "category", "category": "Tops"}, "'Tops' has categories below it"),
        ({"answer": "category", "category": " "}, "say which category"),
        ({"answer": "right", "item": ["i149"]}, "i149 has no category that could be right"),
        ({"answer": "split"}, "'split' is no answer"),
        ({"answer": "rejected", "item": []}, "choose the items first"),
        ({"answer": "rejected", "item": ["/etc/passwd"]}, "none of these items is in the table"),
        ({"answer": "rejected", "key": "' OR 1=1"}, "this page is no longer good"),
        ({"answer": "rejected", "item": ["x"] * 1001}, "1,001 items are too many at once"),
    ],
)
def test_what_cannot_be_decided_is_said_and_nothing_is_written(
    browsed: Served, told: dict[str, object], said: str
) -> None:
    answer = browsed.post("/browse/answer", {"item": ["i090"], "key": KEY, **told})
    assert answer.status_code == 400
    assert answer.headers["hx-reswap"] == "none"  # what was chosen stays chosen
    assert said in text_of(answer.text)
    assert browsed.desk.annotations.version() is None


def test_the_tree_opens_where_one_is_and_keeps_the_other_filters(browsed: Served) -> None:
    html = browsed.client.get("/browse?category=tops&decision=review").text
    assert "/browse?category=shirt&amp;decision=review" in html
    assert "category=trousers" not in html


def test_the_last_nights_are_drawn_once_they_are_counted(browsed: Served) -> None:
    assert "<polyline" not in browsed.client.get("/browse").text  # there was one night
    counted: list[Counts] = [{("shirt", "accept"): 1}, {("shirt", "accept"): 3}]
    browsed.desk.nights.wait()
    browsed.desk.nights._shown = counted  # noqa: SLF001  # as if there had been two
    assert "<polyline" in browsed.client.get("/browse").text
