"""The queue over HTTP: who is asked what, in which order, and what becomes of an answer."""

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pyarrow as pa
import pytest

from lib.backfill.head_bundle import carry_head, write_head_bundle
from lib.desk.answers import Given
from lib.labels.annotations import Answer
from lib.labels.annotations_table import AnnotationsTable
from lib.models.bundle import read_bundle
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers.catalogs import FORMATS, LOCAL, TAXONOMY_YAML, read_items
from tests.helpers.desks import Served, config_of, served
from tests.helpers.questions import best_of, make_questions, told

KEY, OTHER_KEY = "0" * 32, "1" * 32
ODD = '<script>alert("1")</script>'


@dataclass
class Browser:
    """One browser on a desk, with a session of its own."""

    client: httpx.Client

    def items(self, **query: str) -> list[str]:
        """Return the items of a page of the queue."""
        return items_of(self.client.get("/queue", params=query).text)

    def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        text = self.client.get("/nowhere").text
        csrf = text.partition('"X-CSRF-Token": "')[2].partition('"')[0]
        return self.client.post(path, data=fields, headers={"x-csrf-token": csrf})

    def answer(
        self, items: list[str], category: str = "skirt", **more: str | list[str]
    ) -> httpx.Response:
        fields: dict[str, str | list[str]] = {
            "key": KEY,
            "answer": "category",
            "category": category,
            "item": items,
        }
        return self.post("/queue/answer", **fields | more)


def items_of(page: str) -> list[str]:
    return [unquote(html.unescape(each)) for each in re.findall(r'data-item="([^"]*)"', page)]


def annotations(desk: Served) -> list[dict[str, Any]]:
    table = AnnotationsTable(desk.desk.config.answers, LOCAL)
    found: list[dict[str, Any]] = table.read().sort_by("at").to_pylist()
    return found


def say_before(folder: Path, *rows: dict[str, Any]) -> None:
    """Write annotations from before the desk was opened."""
    table = AnnotationsTable(str(folder / "labels-annotations"), LOCAL)
    table.append(pa.Table.from_pylist(list(rows), schema=ANNOTATIONS_SCHEMA))


@contextmanager
def another(desk: Served) -> Iterator[Browser]:
    with httpx.Client(base_url=desk.url, timeout=30) as client:
        yield Browser(client)


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """Twelve items for review, each surer than the one before."""
    return make_questions(tmp_path, 12)


@pytest.fixture
def desk(tmp_path: Path, asked: list[str]) -> Iterator[Served]:
    assert asked
    with served(config_of(tmp_path)) as found:
        yield found


@pytest.fixture
def browser(desk: Served) -> Browser:
    return Browser(desk.client)


def test_the_order_stands_in_the_address(browser: Browser, asked: list[str]) -> None:
    unsure = browser.items(view="sheet", order="unsure")
    assert unsure == asked
    assert browser.items(view="sheet", order="sure") == asked[::-1]
    by_chance = browser.items(view="sheet", order="random")
    assert sorted(by_chance) == asked
    assert by_chance not in (asked, asked[::-1])


def test_helpful_questions_are_spread_over_the_categories(browser: Browser, desk: Served) -> None:
    first = browser.items(view="sheet", order="helpful")[:5]
    rows = desk.desk.table.items(first)
    assert len({row["category_id"] for row in rows}) == 5


def test_helpful_questions_of_one_category_are_spread_over_looks(tmp_path: Path) -> None:
    """Item `n` looks like those that differ by a multiple of five; those of one look are unsure."""
    changes = {}
    for number in range(60):
        share = 0.4 + 0.002 * (12 * (number % 5) + number // 5)
        changes[f"{number:03d}.{FORMATS[number % len(FORMATS)]}"] = {
            "category_id": "shirt",
            "top_k": best_of([share, 1 - share - 0.2]),
        }
    make_questions(tmp_path, 60, changes=changes)
    with served(config_of(tmp_path)) as desk:
        desk.desk.grouping.wait()
        browser = Browser(desk.client)
        looks = [int(each[:3]) % 5 for each in browser.items(view="sheet", order="helpful")[:5]]
        unsure = [int(each[:3]) % 5 for each in browser.items(view="sheet", order="unsure")[:5]]
    assert len({*looks}) >= 4
    assert {*unsure} == {0}


def test_an_order_that_is_none_is_refused(browser: Browser) -> None:
    assert browser.client.get("/queue", params={"order": "'; DROP"}).status_code == 422


def test_what_could_not_be_classified_comes_last(tmp_path: Path) -> None:
    broken = {
        "decision": "error", "error": "gone", "error_detail": "it is not there",
        "category_id": None, "category_path": None, "confidence": None, "top_k": None,
    }  # fmt: skip
    asked = make_questions(tmp_path, 4, changes={"000.jpg": broken})
    with served(config_of(tmp_path)) as desk:
        page = desk.client.get("/queue", params={"view": "sheet", "order": "unsure"}).text
        assert items_of(page) == [*asked[1:], asked[0]]
        answer = Browser(desk.client).answer([asked[0]])
        assert answer.json()["confirmed"] == [asked[0]]


def test_two_browsers_never_get_the_same_item(desk: Served) -> None:
    with another(desk) as ann, another(desk) as bob:
        first, second = ann.items(), bob.items()
        assert len(first) == len(second) == 4
        assert not {*first} & {*second}
        assert ann.items() == first  # a reload shows what was shown


def test_many_browsers_at_once_never_get_the_same_item(desk: Served) -> None:
    def open_one(_: int) -> list[str]:
        with another(desk) as each:
            return each.items()

    with ThreadPoolExecutor(8) as people:
        found = [item for items in people.map(open_one, range(8)) for item in items]
    assert len(found) == len(set(found)) == 12


def test_an_answer_is_in_the_table_once_it_is_confirmed(browser: Browser, desk: Served) -> None:
    item = browser.items()[0]
    answer = browser.answer([item])
    assert answer.json() == {"confirmed": [item], "refused": {}}
    (row,) = annotations(desk)
    assert (row["item_id"], row["category_id"], row["why"]) == (item, "skirt", "queue")
    assert row["annotation_id"] == f"{KEY}-{item}"
    assert row["previous_decision"] == "review"
    assert item not in browser.items(view="sheet")


def test_an_answer_that_is_sent_again_is_there_once(browser: Browser, desk: Served) -> None:
    item = browser.items()[0]
    first, again = browser.answer([item]), browser.answer([item])
    assert first.json() == again.json()
    assert len(annotations(desk)) == 1


def test_one_decision_is_taken_for_many(browser: Browser, desk: Served) -> None:
    items = browser.items(view="sheet")[:7]
    assert sorted(browser.answer(items).json()["confirmed"]) == sorted(items)
    assert {row["category_id"] for row in annotations(desk)} == {"skirt"}
    assert desk.desk.annotations.version() == 0  # one commit


def test_each_of_many_can_be_what_the_model_says_first(browser: Browser, desk: Served) -> None:
    items = browser.items(view="sheet")
    browser.answer(items, "", answer="first")
    rows = {row["item_id"]: row for row in annotations(desk)}
    assert {rows[each]["category_id"] for each in items} == {*desk.desk.taxonomy.leaves}
    assert all(row["category_id"] == row["previous_category_id"] for row in rows.values())


def test_a_rejected_item_is_in_no_category(browser: Browser, desk: Served) -> None:
    item = browser.items()[0]
    browser.answer([item], answer="rejected")
    (row,) = annotations(desk)
    assert (row["answer"], row["category_id"]) == ("rejected", None)


def test_a_decision_is_taken_back_for_all_its_items(browser: Browser, desk: Served) -> None:
    items = browser.items(view="sheet", order="unsure")
    browser.answer(items[:3])
    back = browser.post("/queue/undo", decision=KEY, key=OTHER_KEY)
    assert sorted(back.json()["items"]) == sorted(items[:3])
    assert [row["answer"] for row in annotations(desk)] == ["category"] * 3 + ["withdrawn"] * 3
    assert browser.items(view="sheet", order="unsure") == items
    again = browser.post("/queue/undo", decision=KEY, key=OTHER_KEY)
    assert sorted(again.json()["items"]) == sorted(items[:3])  # sent again
    assert len(annotations(desk)) == 6


def test_nobody_takes_back_what_another_has_said(shop_of_two: Served) -> None:
    ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
    client = shop_of_two.client
    csrf = client.get("/nowhere", headers=ann).text.partition('Token": "')[2].partition('"')[0]
    item = items_of(client.get("/queue", headers=ann).text)[0]
    fields = {"key": KEY, "answer": "category", "category": "skirt", "item": item}
    client.post("/queue/answer", data=fields, headers={**ann, "x-csrf-token": csrf})
    undo = {"decision": KEY, "key": OTHER_KEY}
    answer = client.post("/queue/undo", data=undo, headers={**bob, "x-csrf-token": csrf})
    assert answer.status_code == 400
    assert "no answer of yours" in answer.json()["sentence"]
    assert len(annotations(shop_of_two)) == 1


@pytest.fixture
def shop_of_two(tmp_path: Path, asked: list[str]) -> Iterator[Served]:
    assert asked
    with served(config_of(tmp_path), user_header="X-User") as found:
        yield found


def test_what_another_has_answered_meanwhile_is_left_to_them(desk: Served) -> None:
    with another(desk) as ann, another(desk) as bob:
        item = ann.items()[0]
        ann.answer([item], "shirt")
        refused = bob.answer([item], "skirt", key=OTHER_KEY).json()
        assert refused["confirmed"] == []
        assert refused["refused"][item].endswith("said Shirts meanwhile")
    assert [row["category_id"] for row in annotations(desk)] == ["shirt"]


def test_what_another_has_open_is_left_to_them(desk: Served) -> None:
    with another(desk) as ann, another(desk) as bob:
        item = ann.items()[0]
        assert bob.answer([item]).json()["refused"] == {item: "somebody else has it open"}
    assert annotations(desk) == []


@pytest.mark.parametrize("category", ["hat", "tops", "", ODD])
def test_a_category_that_items_cannot_have_is_refused_in_words(
    browser: Browser, desk: Served, category: str
) -> None:
    answer = browser.answer(browser.items()[:1], category)
    assert answer.status_code == 400
    assert "is no category that items can have in version 7" in answer.json()["sentence"]
    assert annotations(desk) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"answer": "split"}, "'split' is no answer"),
        ({"key": "short"}, "no longer good"),
        ({"item": []}, "choose the items first"),
        ({"item": [f"{n}" for n in range(1001)]}, "1,000 is the most"),
    ],
)
def test_a_decision_that_is_none_is_refused_in_words(
    browser: Browser, fields: dict[str, Any], words: str
) -> None:
    answer = browser.answer(["000.jpg"], **fields)
    assert answer.status_code == 400
    assert words in answer.json()["sentence"]


def test_an_answer_that_cannot_be_written_is_not_confirmed(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "labels-annotations").write_text("no folder")
    answer = browser.answer(browser.items()[:1])
    assert answer.status_code in (400, 503)
    assert "labels-annotations" in answer.json()["sentence"]
    assert browser.items()


def test_what_was_skipped_comes_not_again_in_this_session_but_to_others(desk: Served) -> None:
    with another(desk) as ann, another(desk) as bob:
        item = ann.items(order="unsure")[0]
        ann.post("/queue/skip", item=[item])
        assert item not in ann.items(view="sheet", order="unsure")
        for each in ann.items(view="sheet"):
            ann.post("/queue/skip", item=[each])
        assert bob.items(order="unsure")[0] == item
        bob.post("/queue/skip", item=bob.items(order="unsure"))
        ann.post("/queue/again")
        assert item in ann.items(view="sheet")


def test_the_page_says_how_many_are_left_and_who_decided_today(
    browser: Browser, desk: Served
) -> None:
    browser.answer(browser.items(view="sheet")[:5])
    desk.desk.queue.left(desk.desk.table, 0.0)  # it is counted once a second
    text = browser.client.get("/queue/progress").text
    assert ">7</strong> left" in text
    assert re.search(r"today \S+ 5<", text)


def test_an_empty_queue_says_so_and_what_to_do_next(browser: Browser) -> None:
    browser.answer(browser.items(view="sheet"))
    text = browser.client.get("/queue").text
    assert "All is decided" in text
    assert "12 answers today" in text
    assert 'href="/teach"' in text


def test_an_accepted_item_is_asked_about_blind(tmp_path: Path) -> None:
    asked = make_questions(tmp_path, 6, accepted=8)
    with served(config_of(tmp_path, audit_per_week=3)) as desk:
        browser = Browser(desk.client)
        page = browser.client.get("/queue", params={"view": "sheet"}).text
        audited = [each for each in items_of(page) if each not in asked]
        assert len(audited) == 3
        cards = browser.post("/queue/more", view="one", only=items_of(page)).text
        assert "accept" not in cards.lower().replace("aria-keyshortcuts", "")
        assert "audit" not in (page + cards).lower()
        assert "%" not in re.sub(r'"[^"]*"', "", page + cards)  # an accepted one is surer
        browser.answer([audited[0], asked[0]], "shoes")
        rows = {row["item_id"]: row for row in annotations(desk)}
        assert rows[asked[0]]["why"] == "queue"
        blind = rows[audited[0]]
        assert (blind["why"], blind["previous_decision"]) == ("audit", "accept")
        assert blind["previous_category_id"] is not None
        left = browser.items(view="sheet")
        assert sorted({*left} - {*asked}) == sorted(audited[1:])  # three a week, not more


def test_an_answered_item_whose_image_changed_is_asked_again_though_it_is_accepted(
    tmp_path: Path,
) -> None:
    make_questions(tmp_path, 0, accepted=2)
    config = config_of(tmp_path, audit_per_week=0)
    with served(config) as desk:
        assert Browser(desk.client).items(view="sheet") == []
        item = desk.desk.table.item("000.jpg")
        assert item
        said = Given(answer=Answer.REJECTED, by="ann", why="browse", key="before")
        desk.desk.answers.give([said.of({**item, "etag": "before"}, desk.desk.taxonomy)])
    with served(config) as desk:
        assert Browser(desk.client).items(view="sheet") == ["000.jpg"]


def test_what_could_not_be_classified_is_asked_about_last(tmp_path: Path) -> None:
    failed = {"decision": "error", "error": "empty", "category_id": None, "top_k": None}
    asked = make_questions(tmp_path, 4, accepted=8, changes={"000.jpg": failed, "001.png": failed})
    with served(config_of(tmp_path, audit_per_week=3)) as desk:
        items = Browser(desk.client).items(view="sheet")
    assert sorted(items[-2:]) == ["000.jpg", "001.png"]
    assert len(items) == len(asked) + 3


def test_an_audit_answer_that_is_taken_back_is_asked_again(tmp_path: Path) -> None:
    make_questions(tmp_path, 0, accepted=4)
    with served(config_of(tmp_path, audit_per_week=2)) as desk:
        browser = Browser(desk.client)
        items = browser.items(view="sheet")
        browser.answer(items[:1])
        browser.post("/queue/undo", decision=KEY, key=OTHER_KEY)
        assert browser.items(view="sheet") == items


def test_titles_ids_and_names_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    make_questions(tmp_path, 2, changes={"000.jpg": {"name": ODD, "item_id": f"a/'{ODD}"}})
    with served(config_of(tmp_path)) as desk:
        pages = [
            desk.client.get("/queue", params=query).text
            for query in ({}, {"view": "sheet"}, {"like": ODD}, {"like": f"a/'{ODD}"})
        ]
        assert html.escape(ODD) in pages[0] or "&lt;script&gt;alert" in pages[0]
        for page in pages:
            assert "<script>alert" not in page
        browser = Browser(desk.client)
        assert f"a/'{ODD}" in browser.items()
        assert browser.answer([f"a/'{ODD}"]).json()["confirmed"] == [f"a/'{ODD}"]


def test_a_name_with_html_of_who_answered_is_escaped(tmp_path: Path) -> None:
    make_questions(tmp_path, 1)
    (item,) = read_items(str(tmp_path / "images" / "manifest.csv")).to_pylist()
    say_before(tmp_path, told(item, by=ODD, etag="before"))
    with served(config_of(tmp_path)) as desk:
        text = desk.client.get("/queue").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def why(page: str) -> str:
    found = re.search(r'<p class="why">(.*?)</p>', page)
    assert found
    return html.unescape(found[1])


def test_the_page_says_that_the_best_two_are_close(browser: Browser) -> None:
    page = browser.client.get("/queue", params={"order": "unsure"}).text
    assert why(page) == "The model would say Shirts, or else Knitwear. What is it?"


def test_the_page_says_who_answered_about_the_image_before_it_changed(tmp_path: Path) -> None:
    make_questions(tmp_path, 1)
    (item,) = read_items(str(tmp_path / "images" / "manifest.csv")).to_pylist()
    say_before(tmp_path, told(item, etag="before"))
    with served(config_of(tmp_path)) as desk:
        page = desk.client.get("/queue").text
    assert why(page) == "Its image changed since ann said Shirts."
    assert "<b>ann</b> Shirts" in page


def test_the_page_says_that_the_category_of_an_answer_was_split(tmp_path: Path) -> None:
    make_questions(tmp_path, 0, accepted=1)
    (item,) = read_items(str(tmp_path / "images" / "manifest.csv")).to_pylist()
    split = told(item, 5, answer="split", category_id=None)
    say_before(tmp_path, told(item, category_id="outwear", taxonomy_version="6"), split)
    with served(config_of(tmp_path, audit_per_week=0)) as desk:
        page = desk.client.get("/queue").text
    assert why(page) == "ann said outwear, which was split. Which part is it?"


def replacing(folder: Path, replaces: str) -> str:
    """Write the shop's bundle with what its taxonomy replaces, and return its place."""
    old, place = read_bundle(str(folder / "bundle"), LOCAL), str(folder / "newer" / "bundle")
    taxonomy = parse_taxonomy(f"replaces: {replaces}\n{TAXONOMY_YAML}", "taxonomy.yaml")
    head = carry_head(old, migrate([old.taxonomy]), LOCAL)
    write_head_bundle(place, LOCAL, old, head, taxonomy)
    return place


def test_answers_in_the_taxonomy_before_that_came_late_are_mapped(tmp_path: Path) -> None:
    first, second = make_questions(tmp_path, 2)
    items = read_items(str(tmp_path / "images" / "manifest.csv"))
    rows = {row["item_id"]: row for row in items.to_pylist()}
    say_before(
        tmp_path,
        told(rows[first], category_id="blouse", taxonomy_version="6"),
        told(rows[second], category_id="legwear", taxonomy_version="6"),
    )
    rule = '{version: "6", renamed: {blouse: shirt}, split: {legwear: [trousers, skirt]}}'
    config = config_of(tmp_path, audit_per_week=0, bundle=replacing(tmp_path, rule))
    with served(config) as desk:
        item = desk.desk.table.item(first)
        page = desk.client.get("/queue").text
    assert item
    assert (item["category_id"], item["decision"], item["by"]) == ("shirt", "person", "ann")
    assert items_of(page) == [second]
    assert why(page) == "ann said legwear, which was split. Which part is it?"


def test_an_item_without_an_embedding_is_compared_with_nothing(tmp_path: Path) -> None:
    make_questions(tmp_path, 4, changes={"000.jpg": {"etag": "another"}})
    said = "This item has no embedding, so nothing can be compared with it."
    with served(config_of(tmp_path)) as desk:
        for path in ("/queue/nearest?item=", "/item/alike?id=", "/search?like=", "/queue?like="):
            assert said in desk.client.get(f"{path}000.jpg").text


def test_the_nearest_labelled_items_are_those_that_look_alike(tmp_path: Path) -> None:
    make_questions(tmp_path, 5, accepted=20)
    with served(config_of(tmp_path)) as desk:
        text = desk.client.get("/queue/nearest", params={"item": "000.jpg"}).text
    found = re.findall(r"<span>(\w+)</span>", text)
    assert found[:4] == ["Shirts"] * 4
    assert "000.jpg" not in text


def test_more_like_this_gathers_what_is_for_review_and_looks_alike(
    browser: Browser, asked: list[str]
) -> None:
    page = browser.client.get("/queue", params={"like": "000.jpg"}).text
    assert items_of(page)[0] == "000.jpg"
    selected = re.findall(r'aria-selected="true" data-item="([^"]*)"', page)
    assert {*selected} == {each for each in asked if int(each[:3]) % 5 == 0}


def test_without_embeddings_the_button_says_so(tmp_path: Path, asked: list[str]) -> None:
    with served(config_of(tmp_path, embeddings=None)) as desk:
        text = desk.client.get("/queue").text
        near = desk.client.get("/queue/nearest", params={"item": asked[0]}).text
    assert "No embeddings to find more like this" in text
    assert "names no embeddings" in near


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("skirt", "Skirts"),
        ("tops knit", "Knitwear"),
        ("SHOES", "Shoes"),
        ("trosers", "Trousers"),
        ("", "Shirts"),
    ],
)
def test_a_category_is_found_by_path_name_id_or_nearly(
    browser: Browser, text: str, first: str
) -> None:
    page = browser.client.get("/queue/categories", params={"text": text}).text
    assert re.findall(r'data-name="([^"]*)"', page)[0] == first


def test_what_nothing_is_called_is_said(browser: Browser) -> None:
    page = browser.client.get("/queue/categories", params={"text": ODD}).text
    assert "No category is called so" in page
    assert "<script" not in page
