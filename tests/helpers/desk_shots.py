# ruff: noqa: T201  # it speaks to a person
"""Pictures of every page of the desk, wide and narrow, light and dark, of what the demo has made.

    make demo desk-shots

Nothing is answered and nothing is changed: pages are only looked at.
"""

import shutil
import sys
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from lib.config.config import load_run_file
from lib.desk.config import DeskConfig
from tests.helpers.browser import launch
from tests.helpers.desks import Served, served

OUT = Path("benchmarks") / "out" / "desk-shots"
RUN_FILE = Path("jobs") / "runs" / "demo-desk.yaml"
WIDTHS_PX = (1400, 390)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SHEETS = ("queue-sheet", "queue-like")
SETTLED_MS = 700  # after the last request: what it brought is drawn


def main() -> None:
    """Serve the desk on the demo's catalog, and take the pictures."""
    config = load_run_file(DeskConfig, RUN_FILE)
    if not Path(config.labels_table).is_dir():
        sys.exit(f"there is no '{config.labels_table}' here; 'make demo' makes it")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with served(config) as desk, sync_playwright() as playwright:
        browser = launch(playwright)
        # one session: what is reserved for one browser is not shown to the next
        first = browser.new_context()
        first.new_page().goto(f"{desk.url}/browse")
        session = first.storage_state()
        for name, path in pages_of(desk).items():
            _take(browser, session, desk.url, name, path)
        browser.close()


def pages_of(desk: Served) -> dict[str, str]:
    """Return the paths of the pages by name: of an item and a category that tell the most."""
    query = "SELECT item_id, category_id FROM shown WHERE decision = $decision ORDER BY margin, 1"
    found = {
        each: desk.desk.table.rows(f"{query} LIMIT 1", {"decision": each})
        for each in ("review", "accept", "error")
    }
    rows = {decision: rows[0] for decision, rows in found.items() if rows}
    ids = {decision: quote(row["item_id"], safe="") for decision, row in rows.items()}
    category = quote((rows.get("accept") or rows["review"])["category_id"], safe="")
    return {
        "queue": "/queue?order=unsure",
        "queue-sheet": "/queue?view=sheet",
        "browse": "/browse",
        "browse-review": "/browse?decision=review",
        "category": f"/category?id={category}",
        "search": "/search",
        "taxonomy": "/taxonomy",
        "taxonomy-split": f"/taxonomy/split?category={category}",
        "taxonomy-add": "/taxonomy/add",
        "nights": "/runs",
        "teach": "/teach",
    } | {
        name: path
        for decision, item in ids.items()
        for name, path in {
            f"item-{decision}": f"/item?id={item}",
            f"queue-like-{decision}": f"/queue?like={item}",
            f"search-like-{decision}": f"/search?like={item}",
        }.items()
    }


def _take(browser: Browser, session: StorageState, url: str, name: str, path: str) -> None:
    for width_px in WIDTHS_PX:
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width_px, "height": 900},
                color_scheme=scheme,
                storage_state=session,
            )
            page = context.new_page()
            page.goto(f"{url}{path}")
            settle(page)
            target = OUT / f"{name}-{width_px}-{scheme}.png"
            # a bar that stays in sight would lie somewhere amid a whole sheet
            whole = not name.startswith(SHEETS)
            page.screenshot(path=target, full_page=whole)
            print(target)
            context.close()


def settle(page: Page) -> None:
    """Wait until nothing is asked for any more, and all is drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLED_MS)


if __name__ == "__main__":
    main()
