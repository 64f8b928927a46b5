"""Browsing as a person does: by keyboard alone, on a telephone and on a desk."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.helpers import browser
from tests.helpers.desks import Served, config_of, served
from tests.helpers.searched import make_shop

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not browser.program(), reason="chromium is not installed"),
]
PAGES = {
    "sheet": "/browse?category=tops",
    "filters": "/browse?run=run-1",
    "nothing": "/browse?decision=error",
    "item": "/item?id=001.png",
    "category": "/category?id=skirt",
    "search": "/search?like=001.png",
}
# what sticks out of the screen and cannot be scrolled to
WIDE = """() => [...document.querySelectorAll('main *')]
  .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .filter(each => !each.closest('.hidden, select, svg'))
  .map(each => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder, 70)
    return folder


@pytest.fixture(scope="module")
def read(shop: Path) -> Iterator[Served]:
    """A desk whose table no test changes."""
    with served(config_of(shop)) as found:
        yield found


@pytest.fixture
def written(shop: Path, tmp_path: Path) -> Iterator[Served]:
    with served(config_of(shop, annotations=str(tmp_path / "annotations"))) as found:
        yield found


def open_page(
    chromium: Browser, desk: Served, path: str, width_px: int = 1400, **how: object
) -> Page:
    page = chromium.new_page(viewport={"width": width_px, "height": 900}, **how)  # type: ignore[arg-type]  # any of its options
    page.goto(desk.url + path)
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize(("width_px", "colours"), [(390, "light"), (1400, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_axe_finds_nothing_serious(
    chromium: Browser, read: Served, name: str, width_px: int, colours: str
) -> None:
    page = open_page(chromium, read, PAGES[name], width_px, color_scheme=colours)
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []
    assert page.evaluate(WIDE) == []
    page.close()


def test_a_page_does_not_jump_while_pictures_come(chromium: Browser, read: Served) -> None:
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver(list => list.getEntries()"
        ".forEach(each => { window.moved += each.value }))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    page.goto(f"{read.url}/browse")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.moved") < 0.01
    page.close()


def test_nothing_on_a_page_breaks_the_content_policy(chromium: Browser, read: Served) -> None:
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for path in PAGES.values():
        page.goto(read.url + path)
        page.wait_for_load_state("networkidle")
    assert [each for each in said if "favicon" not in each and "404" not in each] == []
    page.close()


def test_a_sheet_is_decided_by_keyboard_alone(chromium: Browser, written: Served) -> None:
    page = open_page(chromium, written, "/browse?decision=review&order=item")
    keys = page.keyboard
    keys.press("ArrowRight")
    keys.press("Space")
    keys.press("ArrowRight")
    keys.press("Space")
    expect(page.locator(".chosen")).to_have_text("2 chosen")
    keys.press("c")
    keys.type("knitwear")
    keys.press("Enter")
    expect(page.locator("#said")).to_contain_text("2 items are Knitwear")
    shown = {
        each["item_id"]: each["category_id"]
        for each in written.desk.table.items(["001.png", "003.jpg"])
    }
    assert shown == {"001.png": "knitwear", "003.jpg": "knitwear"}
    expect(page.locator(".tile input").first).to_have_value("005.webp")
    expect(page.locator(".tile input").first).to_be_focused()
    keys.press("u")
    expect(page.locator("#said")).to_contain_text("as before")
    expect(page.locator(".tile input").first).to_have_value("001.png")
    keys.press("a")
    keys.press("r")
    expect(page.locator("#said")).to_contain_text("35 items are right as labelled")
    expect(page.locator("#sheet")).to_contain_text("No item is like this")
    page.close()


def test_what_was_chosen_stays_chosen_where_it_cannot_be_decided(
    chromium: Browser, written: Served
) -> None:
    page = open_page(chromium, written, "/browse")
    page.locator(".tile input").first.check()
    page.get_by_label("Category for the chosen items").fill("Hats")
    page.get_by_role("button", name="Move").click()
    expect(page.locator("#said")).to_contain_text("no such category")
    assert page.locator(".tile input").first.is_checked()
    page.close()


def test_pages_of_a_sheet_are_turned_by_keyboard(chromium: Browser, read: Served) -> None:
    page = open_page(chromium, read, "/browse?order=item")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("after="))
    assert page.locator(".tile").count() == 10
    page.keyboard.press("p")
    page.wait_for_url(re.compile("before="))
    assert page.locator(".tile").count() == 60
    page.close()


def test_many_in_a_row_are_chosen_with_shift(chromium: Browser, read: Served) -> None:
    page = open_page(chromium, read, "/browse")
    boxes = page.locator(".tile input")
    boxes.nth(1).click()
    boxes.nth(7).click(modifiers=["Shift"])
    expect(page.locator(".chosen")).to_have_text("7 chosen")
    page.close()


def test_an_item_is_answered_by_one_key_and_its_history_tells_it(
    chromium: Browser, written: Served
) -> None:
    page = open_page(chromium, written, "/item?id=001.png")
    page.keyboard.press("1")
    expect(page.locator("#said")).to_contain_text("1 item is Shirts")
    expect(page.locator("#item")).to_contain_text("by a person")
    expect(page.locator("section.card", has_text="What became of it")).to_contain_text(
        "said Clothing > Tops > Shirts"
    )
    page.keyboard.press("u")
    expect(page.locator("#item")).to_contain_text("to review")
    page.close()


def test_a_photo_that_is_chosen_is_searched_by(chromium: Browser, read: Served, shop: Path) -> None:
    page = open_page(chromium, read, "/search", 390)
    page.locator("input[type=file]").set_input_files(shop / "images" / "004.png")
    expect(page.locator("#found .name").first).to_have_text("004.png", timeout=60_000)
    expect(page.locator("#preview")).to_be_visible()
    page.close()
