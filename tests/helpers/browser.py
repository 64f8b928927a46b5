"""The browser that pages are looked at with: Debian's chromium, as a user would have it."""

import shutil

from playwright.sync_api import Browser, Playwright


def program() -> str | None:
    """Return where chromium lies, or None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Playwright) -> Browser:
    """Start chromium without a window.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = program()
    if found is None:
        raise FileNotFoundError("chromium is not installed; 'apt-get install chromium' does it")
    # its sandbox wants a user who is not root
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
