"""A person at the desk who has a keyboard and no mouse."""

from playwright.sync_api import Locator, Page, expect

MOST_TABS = 250
PATIENCE_MS = 600_000  # jobs are processes of their own, and start slowly on a busy machine


class Person:
    """Reads a page of the desk, and presses keys."""

    def __init__(self, page: Page) -> None:
        """Take a seat before a page of a browser."""
        self.page = page
        page.set_default_timeout(60_000)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        """Type a text in the place of what stands in a field."""
        self.press("Control+a")
        self.page.keyboard.type(text)

    def go_to(self, what: Locator) -> None:
        """Press Tab until something has the focus."""
        expect(what).to_be_visible()
        for _ in range(MOST_TABS):
            if what.evaluate("node => node === document.activeElement"):
                return
            self.press("Tab")
        raise AssertionError(f"no Tab leads to {what}")

    def choose(self, name: str, *, role: str = "button", within: str = "body") -> None:
        """Go to what has a name, and press Enter."""
        found = self.page.locator(within).get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]  # a role
        expect(found).to_be_enabled()
        self.go_to(found)
        self.press("Enter")

    def follow(self, name: str, *, within: str = "body") -> None:
        """Go to a link, and follow it."""
        self.choose(name, role="link", within=within)

    def wait_for_job(self) -> str:
        """Wait until the job that is shown has ended well, and return what it says."""
        ended = self.page.locator("#job .ended")
        ended.wait_for(timeout=PATIENCE_MS)
        said = self.page.locator("#job").inner_text()
        assert ended.inner_text() == "It is done.", self.page.locator("#job pre").text_content()
        return said

    # the queue

    def asked(self) -> str:
        """Return the title of the photo that is asked about."""
        shown = self.page.locator("#current .question")
        shown.wait_for()
        return shown.get_attribute("data-title") or ""

    def say(self, category_id: str, name: str) -> None:
        """Answer what is asked, with the key of a suggestion, or by the category's name."""
        title = self.asked()
        best = self.page.locator("#current .best button")
        ids = best.evaluate_all("all => all.map(each => decodeURIComponent(each.dataset.category))")
        if category_id not in ids or title.endswith("0"):
            self.find(name)
        else:
            at = ids.index(category_id)
            self.press("Enter" if at == 0 else str(at + 1))
        self.page.wait_for_function(
            "title => document.querySelector('#current .question, #current .end')"
            " && document.querySelector('#current .question')?.dataset.title !== title",
            arg=title,
        )

    def find(self, name: str) -> None:
        """Decide by typing a category's name."""
        self.press("/")
        self.page.keyboard.type(name)
        first = self.page.locator("#found [aria-selected=true]")
        expect(first).to_have_attribute("data-name", name)
        self.press("Enter")

    def tiles(self) -> dict[str, bool]:
        """Return the titles of a sheet that are still open, and which are selected."""
        self.page.locator("#tiles .tile").first.wait_for()
        return dict(
            self.page.locator("#tiles .tile:not(.done)").evaluate_all(
                "all => all.map(each => [each.dataset.title, each.ariaSelected === 'true'])"
            )
        )

    def select(self, wanted: set[str]) -> None:
        """Select just these of a sheet, with arrows and Space."""
        tiles = self.page.locator("#tiles .tile")
        expect(tiles.locator("xpath=self::*[@tabindex='0']")).to_be_focused()
        here = tiles.evaluate_all("all => all.indexOf(document.activeElement)")
        self.press(*["ArrowLeft"] * here)
        told = tiles.evaluate_all(
            "all => all.map(each => [each.dataset.title, each.ariaSelected === 'true'])"
        )
        for title, selected in told:
            if selected != (title in wanted):
                self.press(" ")
            self.press("ArrowRight")
        assert {title for title, selected in self.tiles().items() if selected} == wanted
