"""A week at the desk by keyboard alone: a real process, its page in chromium, and its real jobs.

After each step the tables are looked at, not what the page says of them alone.
"""

import getpass
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from lib.labels.annotations import standing_answers
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Version
from lib.taxonomy.taxonomy import read_taxonomy
from tests.helpers import browser, week
from tests.helpers.catalogs import LOCAL, TAXONOMY
from tests.helpers.jobs import finish, start, wait_until
from tests.helpers.keyboard import Person
from tests.helpers.ports import free_port

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not browser.program(), reason="chromium is not installed"),
]
ME = getpass.getuser()
Row = dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """What lies on disk of a catalog and its desk."""

    folder: Path
    url: str

    @property
    def labels(self) -> LabelsTable:
        return LabelsTable(str(self.folder / "labels"), LOCAL)

    def rows(self, version: int | None = None) -> dict[str, Row]:
        """Return the rows of the labels table by title."""
        return {row["name"]: row for row in self.labels.read(version).to_pylist()}

    def newest(self) -> Version:
        """Return what the history says of the newest version."""
        return self.labels.history(1)[0]

    def said(self) -> list[Row]:
        """Return all annotations, the oldest first."""
        table = AnnotationsTable(str(self.folder / "labels-annotations"), LOCAL)
        found: list[Row] = table.read().sort_by("at").to_pylist()
        return found

    def standing(self, taxonomy_version: str = "7") -> dict[str, Row]:
        """Return the answers that stand, by title."""
        table = AnnotationsTable(str(self.folder / "labels-annotations"), LOCAL)
        found = standing_answers(table.read(), taxonomy_version).to_pylist()
        return {week.title_of(int(row["item_id"][:3])): row for row in found}

    def wait_for(self, titles: set[str]) -> dict[str, Row]:
        """Wait until answers stand about just these, and return them."""
        wait_until(lambda: self.standing().keys() == titles)
        return self.standing()


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """Make a catalog, open a desk on it as its user does, and stop it as a service manager does."""
    run_file, port = week.make_week(folder), free_port()
    # short: Ray's sockets lie below it
    with tempfile.TemporaryDirectory(prefix="desk-") as place:
        arguments = (str(run_file), "--no-browser", "--port", str(port))
        # Ray's workers give way to all else, and would not come to their turn where tests compete
        environment = {"TMPDIR": place, "RAY_worker_niceness": "0"}
        process = start("jobs.desk", *arguments, environment=environment)
        try:
            shop = Shop(folder, f"http://127.0.0.1:{port}")
            wait_until(lambda: process.poll() is not None or answers(shop.url))
            assert process.poll() is None
            yield shop
        finally:
            process.terminate()
            code, _, said = finish(process)
        assert (code, [*Path(place).glob("reshelve-desk-*")]) == (130, []), said


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/queue", timeout=30).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def seated(chromium: Browser, shop: Shop, width_px: int) -> Iterator[Person]:
    """Sit down before the desk; nothing that its scripts run into goes unnoticed."""
    page = chromium.new_page(viewport={"width": width_px, "height": 900})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{shop.url}/queue")
    yield Person(page)
    assert wrong == []
    page.close()


def say_truth(person: Person) -> str:
    title = person.asked()
    leaf = week.truth(title)
    person.say(leaf, week.NAMES[leaf])
    return title


def decide_one_at_a_time(person: Person, shop: Shop, count: int) -> set[str]:
    """Answer so many questions, and see them in the table."""
    done = {say_truth(person) for _ in range(count)}
    assert len(done) == count
    told, rows = shop.wait_for(done), shop.rows()
    for title, row in told.items():
        assert (row["category_id"], row["by"]) == (week.truth(title), ME)
        # what it was labelled when it was answered; accepted ones are asked about blind
        assert row["previous_category_id"] == rows[title]["category_id"]
        assert row["why"] == ("audit" if rows[title]["decision"] == "accept" else "queue")
    assert len(shop.said()) == count
    return done


def undo_the_last(person: Person, shop: Shop, done: set[str]) -> set[str]:
    """Give a wrong answer, take it back, and give the right one."""
    title = person.asked()
    person.press("x")
    rejected = shop.wait_for(done | {title})[title]
    assert rejected["answer"] == "rejected"
    person.press("u")
    expect(person.page.locator("#current .question")).to_have_attribute("data-title", title)
    shop.wait_for(done)
    assert [row["answer"] for row in shop.said()][-2:] == ["rejected", "withdrawn"]
    done = done | {say_truth(person)}
    assert shop.wait_for(done)[title]["category_id"] == week.truth(title)
    return done


def decide_a_sheet(person: Person, shop: Shop, done: set[str], leaf: str, least: int) -> set[str]:
    """Select all photos of a kind, and decide once."""
    before = len(shop.said())
    kind = {title for title in person.tiles() if week.truth(title) == leaf}
    assert len(kind) >= least
    person.select(kind)
    expect(person.page.locator("#chosen")).to_have_text(f"{len(kind)} selected")
    person.find(week.NAMES[leaf])
    told = shop.wait_for(done | kind)
    assert {told[each]["category_id"] for each in kind} == {leaf}
    added = shop.said()[before:]
    assert len(added) == len(kind)
    assert len({row["annotation_id"].split("-")[0] for row in added}) == 1  # one decision
    return done | kind


def undo_a_sheet(person: Person, shop: Shop, before: set[str], after: set[str]) -> None:
    """Take a decision about many photos back, as one."""
    person.press("u")
    shop.wait_for(before)
    wait_until(lambda: after - before <= person.tiles().keys())


def decide_alike(person: Person, shop: Shop, done: set[str]) -> set[str]:
    """Gather what looks like a photo, and decide it together."""
    title = person.asked()
    leaf = week.truth(title)
    person.press("m")
    person.page.wait_for_url("**like=**")
    near = person.tiles()
    assert near[title]  # what is clearly alike is selected; the rest is shown
    kind = {each for each in near if week.truth(each) == leaf}
    assert title in kind
    assert len(kind) > 1
    person.select(kind)
    person.find(week.NAMES[leaf])
    told = shop.wait_for(done | kind)
    assert {told[each]["category_id"] for each in kind} == {leaf}
    person.follow("Back to the queue")
    assert person.asked() not in done | kind
    return done | kind


def publish_answers(person: Person, shop: Shop, done: set[str]) -> None:
    """Let the table show what was said."""
    before = shop.rows()
    person.follow("Nights", within="header")
    person.follow("Publish answers, fit a new head")
    person.choose("Publish the answers")
    assert f"{len(done)} items" in person.page.locator("#publish-answers").inner_text()
    person.choose("Publish them")
    person.wait_for_job()
    rows, told = shop.rows(), shop.standing()
    assert {title for title, row in rows.items() if row["decision"] == "person"} == done
    for title, row in rows.items():
        if title in done:
            assert row["category_id"] == told[title]["category_id"]
            assert row["top_k"] == before[title]["top_k"]  # what the model said stays
        else:
            assert row == before[title]
    assert shop.newest().made.by == ME
    assert shop.newest().number == 1
    person.follow("Go on")


def fit_a_head(person: Person, shop: Shop, done: set[str]) -> None:
    """Fit a head, see what it would do, try it, and label the catalog with it."""
    before = shop.rows()
    person.choose("Fit a new head")
    said = person.wait_for_job()
    assert str(len(done)) in said
    assert shop.newest().number == 1  # nothing is published by that
    person.follow("Go on")
    figures = person.page.locator("dl.figures").inner_text().split()
    was, becomes = (float(figures[at - 1]) for at, each in enumerate(figures) if each == "%")
    assert becomes > was
    person.choose("Try it on the catalog")
    person.wait_for_job()
    assert shop.newest().number == 1
    person.follow("Go on")
    person.choose("Label the catalog with it")
    person.choose("Label it")
    person.wait_for_job()
    rows, newest = shop.rows(), shop.newest()
    assert newest.number == 2
    assert newest.made.job == "backfill"  # on the kept embeddings
    assert newest.made.bundle
    assert "desk-heads" in newest.made.bundle
    assert {row["bundle_digest"] for row in rows.values()} == {newest.made.bundle_digest}
    assert {t for t, row in rows.items() if row["decision"] == "person"} == done
    assert all(rows[title]["category_id"] == week.truth(title) for title in done)
    assert best_right(rows) > best_right(before)
    person.follow("Go on")


def best_right(rows: dict[str, Row]) -> int:
    return sum(row["top_k"][0]["category_id"] == week.truth(title) for title, row in rows.items())


def draw_a_new_tree(person: Person, shop: Shop) -> None:
    """Rename a category, split another by six photos, and write it down; nothing moves by that."""
    before = shop.newest().number
    person.follow("Taxonomy", within="header")
    person.choose("Change Shoes")
    expect(person.page.locator("#change").get_by_label("Name")).to_be_focused()
    person.write("Footwear")
    person.press("Enter")
    expect(person.page.locator("#editor .edits li")).to_have_count(1)
    person.choose("Change Shirts")
    person.follow("Split it by photos")
    split_by_photos(person)
    expect(person.page.locator("#editor .edits li")).to_have_count(2)
    assert read_taxonomy(str(shop.folder / "taxonomy.yaml"), LOCAL) == TAXONOMY
    person.follow("Look at what it does")
    person.choose("Write it down")
    expect(person.page.get_by_text("It is written as version 8.")).to_be_visible()
    new = read_taxonomy(str(shop.folder / "taxonomy.yaml"), LOCAL)
    assert new.version == "8"
    assert new.by_id["shoes"].name == "Footwear"
    assert new.replaces
    assert new.replaces.split == {"shirt": ("polos", "blouses")}
    assert shop.newest().number == before


def move_the_catalog(person: Person, shop: Shop) -> None:
    """Try the new tree, then move the catalog to it."""
    before = shop.newest().number
    person.choose("Try it")
    person.wait_for_job()
    assert shop.newest().number == before
    person.follow("Go on")
    person.choose("Move the catalog")
    person.choose("Move it")
    person.wait_for_job()
    assert shop.newest().number == before + 1


def split_by_photos(person: Person) -> None:
    page = person.page
    for part, name in enumerate(("Polos", "Blouses")):
        person.go_to(page.get_by_label(f"Name of category {part + 1}"))
        person.write(name)
    photos = page.locator("#photos .photo")
    photos.first.wait_for()
    for at in range(6):
        person.go_to(photos.nth(at))
        person.press("1" if at < 3 else "2")
    expect(page.locator(".part .count")).to_have_text(["3 photos", "3 photos"])
    person.press("Shift+Tab")
    while not page.get_by_role("button", name="Split it").evaluate(
        "node => node === document.activeElement"
    ):
        person.press("Shift+Tab")
    person.press("Enter")
    page.wait_for_url("**/taxonomy")


def see_the_move(shop: Shop, done: set[str]) -> None:
    """Answers follow by rule; what was split is a question again."""
    before, rows = shop.rows(2), shop.rows()
    assert shop.newest().number == 3
    assert {row["taxonomy_version"] for row in rows.values()} == {"8"}
    assert rows.keys() == before.keys()
    for title, row in rows.items():
        leaf = week.truth(title)
        if leaf == "shirt":
            assert row["category_id"] != "shirt"
        if title in done and leaf != "shirt":
            assert (row["category_id"], row["decision"]) == (leaf, "person")
        if title in done and leaf == "shirt":
            assert row["decision"] == "review"
    assert {row["category_path"] for row in rows.values() if row["category_id"] == "shoes"} == {
        "Footwear"
    }
    assert shop.standing("8").keys() == {t for t in done if week.truth(t) != "shirt"}


def roll_back(person: Person, shop: Shop) -> None:
    """Bring the table of the old taxonomy back."""
    person.follow("Nights", within="header")
    person.choose("Bring version 2 back")
    said = person.page.locator("#rollback-body")
    expect(said).to_contain_text("of version 7 of the taxonomy")
    assert shop.newest().number == 3  # until it is confirmed
    person.choose("Bring it back", within="#rollback-body")
    wait_until(lambda: shop.newest().number == 4)
    assert shop.rows() == shop.rows(2)
    assert shop.newest().restored == 2
    assert shop.newest().made.by == ME
    expect(person.page.locator("main")).to_contain_text("version 2 was brought back")
    person.follow("Taxonomy", within="header")
    expect(person.page.locator("#editor")).to_contain_text("version 7")


@pytest.mark.ray
def test_a_week_by_keyboard(chromium: Browser, tmp_path: Path) -> None:
    with opened(tmp_path) as shop, seated(chromium, shop, 1400) as person:
        done = decide_one_at_a_time(person, shop, 30)
        done = undo_the_last(person, shop, done)
        done = decide_alike(person, shop, done)
        person.follow("Sheet")
        kinds = Counter(week.truth(title) for title in person.tiles())
        for leaf, count in kinds.most_common(3):
            done = decide_a_sheet(person, shop, done, leaf, count)
        assert len(done) >= 60
        publish_answers(person, shop, done)
        fit_a_head(person, shop, done)
        draw_a_new_tree(person, shop)
        move_the_catalog(person, shop)
        see_the_move(shop, done)
        roll_back(person, shop)


def test_a_morning_on_a_narrow_screen(chromium: Browser, tmp_path: Path) -> None:
    with opened(tmp_path) as shop, seated(chromium, shop, 390) as person:
        done = decide_one_at_a_time(person, shop, 12)
        done = undo_the_last(person, shop, done)
        done = decide_alike(person, shop, done)
        person.follow("Sheet")
        ((leaf, count),) = Counter(week.truth(each) for each in person.tiles()).most_common(1)
        before = done
        done = decide_a_sheet(person, shop, before, leaf, count)
        undo_a_sheet(person, shop, before, done)
        correct_in_browse(person, shop, before)
        assert shop.newest().number == 0


def correct_in_browse(person: Person, shop: Shop, done: set[str]) -> None:
    """Find an accepted item among all, open it, and say that it is something else."""
    title = week.title_of(89)
    person.follow("Search", within="header")
    person.go_to(person.page.get_by_label("By title or id"))
    person.write(title)
    person.press("Enter")
    person.follow(title, within="#found")
    person.page.wait_for_url("**/item?**")
    person.go_to(person.page.get_by_label("Another category"))
    person.write(TAXONOMY.path("skirt"))
    person.press("Enter")
    told = shop.wait_for(done | {title})[title]
    assert (told["category_id"], told["why"]) == ("skirt", "browse")
    expect(person.page.locator("#item .badge")).to_have_text("by a person")
