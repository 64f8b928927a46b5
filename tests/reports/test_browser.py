"""Reports as a browser shows them: nothing is cut, and all can be read by keyboard and by ear."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from lib.reports.data import ContactSheet
from lib.reports.render import (
    render_classification,
    render_evaluation,
    render_match,
    render_migration,
    render_training,
)
from tests.helpers import browser
from tests.helpers import report_examples as examples
from tests.helpers.report_examples import MIGRATION, RUN, THUMBNAIL, TRAINING
from tests.reports.test_evaluation import compared, findings, report_of
from tests.reports.test_match import REPORT as MATCH

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not browser.program(), reason="chromium is not installed"),
]
LONG = replace(THUMBNAIL, item_id="photos/" + "0123456789" * 12, for_review=True)
LONG_PATH = "Clothing > Ladies > Outerwear and coats > Waterproof jackets with a hood"
PAGES = {
    "night": render_classification(
        replace(
            RUN,
            categories=[replace(examples.category(0), path=LONG_PATH), examples.category(1)],
            sheets=[ContactSheet(category=LONG_PATH, items=50, thumbnails=[THUMBNAIL, LONG])],
        )
    ),
    "empty night": render_classification(examples.EMPTY_RUN),
    "training": render_training(replace(TRAINING, evaluation=examples.evaluation(10))),
    "backfill": render_migration(MIGRATION),
    "evaluation": render_evaluation(
        report_of(compared(findings(90, 10), only_first=9, only_second=1))
    ),
    "match": render_match(MATCH),
}
# what sticks out of the screen and cannot be scrolled to, and what can only be read by scrolling
CUT = """() => {
  const wide = document.documentElement.clientWidth;
  const told = [...document.querySelectorAll('h1, h2, h3, p, li, dt, dd, th, td, img')];
  return told
    .filter(each => !each.closest('.matrix') && !each.closest('.hidden') && each.offsetParent)
    .filter(each => each.closest('thead') === null || wide > 640)
    .filter(each => each.getBoundingClientRect().right > wide + 1)
    .map(each => each.outerHTML.slice(0, 120));
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = browser.launch(playwright)
        yield found
        found.close()


@pytest.fixture(params=PAGES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_page(chromium: Browser, tmp_path: Path, name: str, width_px: int, **how: object) -> Page:
    file = tmp_path / "report.html"
    file.write_text(PAGES[name])
    page = chromium.new_page(viewport={"width": width_px, "height": 900}, **how)  # type: ignore[arg-type]  # any of its options
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("width_px", [390, 1400])
def test_nothing_is_cut_on_a_telephone_or_on_a_desk(
    chromium: Browser, tmp_path: Path, name: str, width_px: int
) -> None:
    page = open_page(chromium, tmp_path, name, width_px)

    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width_px", [390, 1400])
def test_axe_finds_nothing_serious(
    chromium: Browser, tmp_path: Path, name: str, width_px: int, colours: str
) -> None:
    page = open_page(chromium, tmp_path, name, width_px, color_scheme=colours)

    found = Axe().run(page).response["violations"]

    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []


def test_every_table_says_on_a_telephone_what_its_cells_are(
    chromium: Browser, tmp_path: Path, name: str
) -> None:
    page = open_page(chromium, tmp_path, name, 390)

    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('table:not(.matrix) tbody td:not([data-label])')]"
        ".map(each => each.outerHTML.slice(0, 120))"
    )

    assert unnamed == []


def test_a_printed_report_is_whole(chromium: Browser, tmp_path: Path, name: str) -> None:
    page = open_page(chromium, tmp_path, name, 794)  # A4 at 96 dots per inch
    page.emulate_media(media="print")

    assert page.evaluate(CUT) == []
    assert page.pdf(format="A4").startswith(b"%PDF")
