from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.helpers import browser
from tests.helpers.desks import Served, config_of, served
from tests.helpers.searched import make_shop

PATIENCE_MS = 60_000  # the machine may be busy


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, which is patient with pages."""
    with sync_playwright() as playwright:
        found = browser.launch(playwright)
        expect.set_options(timeout=PATIENCE_MS)
        yield found
        found.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalog of twelve items that was classified, every other one for review."""
    make_shop(tmp_path)
    return tmp_path


@pytest.fixture
def desk(shop: Path) -> Iterator[Served]:
    """A desk on it, served."""
    with served(config_of(shop)) as found:
        yield found
