"""The taxonomy's and nights' pages in a browser: by keyboard, small and large, read by axe."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.helpers import browser
from tests.helpers.catalogs import TAXONOMY_YAML
from tests.helpers.desks import Served, config_of, served

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not browser.program(), reason="chromium is not installed"),
]
PAGES = ("/taxonomy", "/taxonomy/split?category=shoes", "/taxonomy/changes", "/runs", "/teach")


@pytest.fixture
def desk(shop: Path) -> Iterator[Served]:
    (shop / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    with served(config_of(shop, taxonomy=str(shop / "taxonomy.yaml"))) as found:
        yield found


@pytest.fixture
def page(chromium: Browser, desk: Served) -> Iterator[Page]:
    found = chromium.new_page(viewport={"width": 1400, "height": 900}, base_url=desk.url)
    yield found
    found.close()


def test_the_tree_is_edited_by_keyboard_alone(page: Page, desk: Served) -> None:
    page.goto("/taxonomy")
    # a name is given
    page.get_by_role("button", name="Change Shoes").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#change[open] input[name=name]")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Footwear")
    page.keyboard.press("Enter")
    expect(page.locator(".edits li")).to_contain_text("'Shoes' is called 'Footwear'")
    expect(page.locator(".edits [data-focus]")).to_be_focused()
    expect(page.locator("#change")).not_to_be_visible()
    # what cannot be is said in the dialog, which stays
    page.get_by_role("button", name="Change Shirts").focus()
    page.keyboard.press("Enter")
    page.locator("#change[open] input[name=name]").fill("Knitwear")
    page.keyboard.press("Enter")
    expect(page.locator("#change .refused")).to_be_focused()
    page.keyboard.press("Escape")
    # and a category is split by photos
    page.goto("/taxonomy/split?category=shirt")
    names = page.locator("input[name=part]")
    names.nth(0).fill("Polos")
    names.nth(1).fill("Blouses")
    for place in range(6):
        page.locator(".photo").nth(place).focus()
        page.keyboard.press("1" if place < 3 else "2")
    expect(page.locator(".part .count").nth(1)).to_have_text("3 photos")
    names.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/taxonomy")
    expect(page.locator(".edits li")).to_have_count(2)

    assert desk.desk.draft
    edits = desk.desk.draft.read(desk.desk.taxonomy).edits
    assert [each.kind for each in edits] == ["rename", "split"]

    for width_px in (1400, 390):
        page.set_viewport_size({"width": width_px, "height": 900})
        for path in PAGES:
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width_px, path
            found = Axe().run(page).response["violations"]
            serious = [each for each in found if each["impact"] in {"serious", "critical"}]
            assert [(path, each["id"], each["nodes"][0]["html"]) for each in serious] == []


def test_a_form_that_is_sent_as_soon_as_it_appears_is_not_lost(page: Page, desk: Served) -> None:
    page.goto("/taxonomy")
    assert desk.desk.draft
    revision = str(desk.desk.draft.read(desk.desk.taxonomy).revision)
    page.evaluate(
        """revision => {
          const form = document.createElement("form");
          form.setAttribute("hx-post", "/taxonomy/rename");
          form.setAttribute("hx-target", "#editor");
          form.setAttribute("hx-swap", "outerHTML");
          form.innerHTML = '<input name="category" value="shoes"><input name="name" value="Boots">'
            + `<input name="revision" value="${revision}"><button>Rename</button>`;
          document.querySelector("#editor").append(form);
          form.requestSubmit();  // before htmx has seen it
        }""",
        revision,
    )

    expect(page.locator(".edits li")).to_contain_text("'Shoes' is called 'Boots'")
    assert page.url == f"{desk.url}/taxonomy"
