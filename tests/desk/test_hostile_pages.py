"""What others wrote into ids, titles, names and error texts is shown, and does nothing."""

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pyarrow as pa
import pytest

from lib.schemas import LABELS_SCHEMA
from lib.taxonomy.taxonomy import Category, Taxonomy
from tests.helpers import catalogs
from tests.helpers.desks import Served, config_of, served
from tests.helpers.pages import items_of, text_of
from tests.helpers.searched import publish

TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "../../etc/passwd",
    "' OR 1=1; DROP TABLE labels --",
    "a&item=b#c?d=%2e%00",
    "\u202ereversed\u2066",
    "hx-on:click=alert(1)",
    "</textarea></select></svg><b>",
    "\N{PILE OF POO}" + "x" * 300,
)
SHOWN = ("/browse", "/browse?order=item", "/browse?decision=error", "/search?title=script alert")
OF_ONE = ("/item", "/item/history", "/item/alike", "/category", "/category/precision")


TREE = [Category("top <b>", TEXTS[0], None)]
TREE += [Category(text, TEXTS[-place], "top <b>") for place, text in enumerate(TEXTS)]
TAXONOMY = Taxonomy("<7>", tuple(TREE))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Items and categories whose every text is meant to do harm."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(catalogs, "TAXONOMY", TAXONOMY)
        bundle = catalogs.make_bundle(str(folder / "bundle"))
    rows = catalogs.label_rows(TEXTS, broken=TEXTS[:3]).to_pylist()
    for number, row in enumerate(rows):
        row |= {"name": TEXTS[-number], "uri": row["item_id"], "etag": TEXTS[number - 1]}
        row["run_id"] = row["item_id"]
        if row["error"]:
            row["error_detail"] = TEXTS[number]
            continue
        row["category_id"] = TEXTS[number]
        row["category_path"] = TAXONOMY.path(TEXTS[number])
        row["top_k"] = [{"category_id": each, "probability": 0.2} for each in TEXTS[:5]]
    publish(folder, pa.Table.from_pylist(rows, schema=LABELS_SCHEMA), bundle.made)
    with served(config_of(folder)) as found:
        yield found


class Acting(HTMLParser):
    """Collects what of a page would act that is not the desk's own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        ours = told.get("src", "").startswith("/static/")
        if tag in ("iframe", "object", "embed", "b", "style", "base") or (
            tag == "script" and not ours
        ):
            self.found.append(tag)
        self.found += [each for each in told if each.startswith(("on", "hx-on")) or each == "style"]
        for name in ("href", "src", "action", "hx-get", "hx-post"):
            place = told.get(name, "/")
            if not place.startswith("/") or place.startswith("//"):
                self.found.append(f"{name}={place}") if place != "#main" else None


def check(answer: httpx.Response) -> None:
    assert answer.status_code in (200, 400, 404), answer.text[:300]
    parser = Acting()
    parser.feed(answer.text)
    assert parser.found == []
    assert "\u202e" not in answer.text  # what turns the direction of the text is shown, escaped


@pytest.mark.parametrize("path", SHOWN)
def test_nothing_of_a_sheet_acts(desk: Served, path: str) -> None:
    check(desk.client.get(path))


@pytest.mark.parametrize("path", OF_ONE)
@pytest.mark.parametrize("text", TEXTS)
def test_nothing_of_one_item_or_category_acts(desk: Served, path: str, text: str) -> None:
    answer = desk.client.get(path, params={"id": text})
    check(answer)
    assert answer.status_code == 200


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_that_an_address_asks_for_acts(desk: Served, text: str) -> None:
    for name in ("category", "run", "error", "after", "before", "decision", "least", "since"):
        check(desk.client.get("/browse", params={name: text}))
    for name in ("title", "like"):
        check(desk.client.get("/search", params={name: text}))
    for path in OF_ONE:
        check(desk.client.get(path, params={"id": f"no {text}"}))


def test_every_item_can_be_opened_chosen_and_decided_whatever_its_id(desk: Served) -> None:
    shown = items_of(desk.client.get("/browse?order=item").text)
    assert set(shown) == set(TEXTS)
    told = {"answer": "rejected", "key": "0123456789", "sheet": ""}
    answer = desk.post("/browse/answer", {**told, "item": [quote(each, safe="") for each in TEXTS]})
    check(answer)
    assert f"{len(TEXTS)} items are in no category" in text_of(answer.text)
    for text in TEXTS:
        item = desk.desk.table.item(text)
        assert item
        assert item["decision"] == "person"
        check(desk.client.get("/item/history", params={"id": text}))
    undone = desk.post("/browse/answer", {**told, "answer": "withdrawn", "item": [quote(TEXTS[0])]})
    assert undone.status_code == 200


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_that_a_form_brings_acts(desk: Served, text: str) -> None:
    for name in ("item", "answer", "category", "key", "sheet"):
        told: dict[str, object] = {"item": [quote(TEXTS[0])], "answer": "category", "key": "0" * 10}
        check(desk.post("/browse/answer", {**told, "category": "no such", name: text}))
        check(desk.post("/item/answer", {**told, "category": "no such", name: text}))
