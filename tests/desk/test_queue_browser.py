"""The queue in a browser: by keyboard alone, two people at once, a server that is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import httpx
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from deltalake import DeltaTable
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect

from lib.labels.annotations_table import AnnotationsTable
from tests.desk.test_queue import annotations, items_of
from tests.helpers import browser
from tests.helpers.catalogs import LOCAL
from tests.helpers.desks import Served, config_of, served
from tests.helpers.ports import free_port
from tests.helpers.questions import make_questions

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not browser.program(), reason="chromium is not installed"),
]
ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = 30
WAIT_MS = 60_000  # for what is done in the background
# what sticks out of the screen and cannot be scrolled to
CUT = """() => {
  const wide = document.documentElement.clientWidth;
  return [...document.querySelectorAll('h1, h2, h3, p, li, dt, dd, button, input, img')]
    .filter(each => each.offsetParent && !each.closest('.actions, #best, .unseen'))
    .filter(each => each.getBoundingClientRect().right > wide + 1)
    .map(each => each.outerHTML.slice(0, 120));
}"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Served]:
    make_questions(tmp_path, QUESTIONS, accepted=10)
    with served(config_of(tmp_path, audit_per_week=0)) as found:
        yield found


Open = Callable[..., Page]
Colours = Literal["light", "dark"]


@pytest.fixture
def open_page(chromium: Browser, desk: Served) -> Iterator[Open]:
    """Open pages of the desk, each in a browser of its own, and fail on what goes wrong there."""
    wrong: list[str] = []
    contexts = []

    def opened(path: str, width_px: int = 1400, colours: Colours = "light") -> Page:
        size: ViewportSize = {"width": width_px, "height": 900}
        context = chromium.new_context(viewport=size, color_scheme=colours)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(desk.url + path)
        page.wait_for_selector(".question, .tile, .end")
        page.wait_for_function("document.readyState !== 'loading' && window.htmx")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def shown(page: Page) -> str:
    return unquote(page.get_attribute("#current .question", "data-item") or "")


def wait_for(desk: Served, count: int) -> list[dict[str, Any]]:
    """Wait until so many annotations are written, and return them."""
    until = time.monotonic() + WAIT_MS / 1000
    while len(found := annotations(desk)) < count and time.monotonic() < until:
        time.sleep(0.1)
    assert len(found) == count
    return found


def test_ten_are_decided_one_at_a_time_by_keyboard_alone(open_page: Open, desk: Served) -> None:
    page = open_page("/queue?order=unsure")
    asked = []
    for key in ("1", "2", "3", "4", "5", "Enter", "x", "Enter"):
        asked.append(shown(page))
        page.keyboard.press(key)
        expect(page.locator("#current .question")).not_to_have_attribute("data-item", asked[-1])
    for typed in ("/shoes", "trousers"):  # or a word at once
        asked.append(shown(page))
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        expect(page.locator("#current .question")).not_to_have_attribute("data-item", asked[-1])

    rows = {row["item_id"]: row for row in wait_for(desk, 10)}
    best = {row["item_id"]: row["top_k"] for row in desk.desk.table.items(asked)}
    for item, place in zip(asked[:6], (0, 1, 2, 3, 4, 0), strict=True):
        assert rows[item]["category_id"] == best[item][place]["category_id"]
    assert rows[asked[6]]["answer"] == "rejected"
    assert rows[asked[8]]["category_id"] == "shoes"
    assert rows[asked[9]]["category_id"] == "trousers"


def test_the_next_photo_is_shown_before_the_answer_is_written(open_page: Open) -> None:
    page = open_page("/queue?order=unsure")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/queue/answer", hold)
    ready = "[...document.querySelectorAll('#next img')].every(each => each.complete)"
    page.wait_for_function(f"document.querySelector('#next img') && {ready}")  # fetched before
    first = shown(page)
    page.keyboard.press("1")
    assert shown(page) != first
    assert page.evaluate("document.querySelector('#current img').complete")
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()


def test_an_answer_that_could_not_be_written_puts_the_photo_back_with_a_sentence(
    open_page: Open, desk: Served
) -> None:
    page = open_page("/queue?order=unsure")
    sentence = "the disk is full"
    page.route("**/queue/answer", lambda route: route.fulfill(
        status=503, content_type="application/json", body=f'{{"sentence": "{sentence}"}}'
    ))  # fmt: skip
    first = shown(page)
    page.keyboard.press("1")
    expect(page.locator("#current .question")).not_to_have_attribute("data-item", first)
    expect(page.locator("#current .unwritten")).to_contain_text(sentence)
    assert shown(page) == first
    page.unroute("**/queue/answer")
    page.keyboard.press("2")
    assert wait_for(desk, 1)[0]["item_id"] == first


def test_the_last_answers_are_taken_back_one_after_the_other(open_page: Open, desk: Served) -> None:
    page = open_page("/queue?order=unsure")
    first = shown(page)
    page.keyboard.press("1")
    expect(page.locator("#current .question")).not_to_have_attribute("data-item", first)
    second = shown(page)
    page.keyboard.press("x")
    wait_for(desk, 2)
    page.reload()  # what was done is still known
    for item in (second, first):
        page.keyboard.press("u")
        expect(page.locator("#current .question")).to_have_attribute("data-item", item)
    rows = wait_for(desk, 4)
    assert [row["answer"] for row in rows[2:]] == ["withdrawn", "withdrawn"]
    assert desk.desk.table.counts()["review"] == QUESTIONS


def test_many_of_a_sheet_are_selected_decided_at_once_and_taken_back(
    open_page: Open, desk: Served
) -> None:
    page = open_page("/queue?view=sheet&order=unsure")
    expect(page.locator("#chosen")).to_contain_text("This photo")
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    chosen = page.locator(".tile[aria-selected=true]").count()
    expect(page.locator("#chosen")).to_have_text(f"{chosen} selected")
    page.keyboard.press("/")
    page.keyboard.type("knit")
    page.keyboard.press("Enter")
    expect(page.locator(".tile.done")).to_have_count(chosen)
    rows = wait_for(desk, chosen)
    assert {row["category_id"] for row in rows} == {"knitwear"}
    assert len({row["annotation_id"][:32] for row in rows}) == 1  # one decision

    page.keyboard.press("u")
    expect(page.locator(".tile.done")).to_have_count(0)
    assert [row["answer"] for row in wait_for(desk, 2 * chosen)[chosen:]] == ["withdrawn"] * chosen


def test_a_sheet_is_selected_by_space_and_by_clicks_too(open_page: Open, desk: Served) -> None:
    page = open_page("/queue?view=sheet&order=unsure")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#chosen")).to_have_text("2 selected")
    page.locator(".tile").nth(4).click()
    page.locator(".tile").nth(6).click(modifiers=["Shift"])
    expect(page.locator("#chosen")).to_have_text("3 selected")
    page.keyboard.press("a")  # each its own
    rows = wait_for(desk, 3)
    assert all(row["category_id"] == row["previous_category_id"] for row in rows)


def test_a_sheet_that_is_decided_gives_way_to_what_is_next(open_page: Open, desk: Served) -> None:
    page = open_page("/queue?view=sheet&order=unsure")
    page.keyboard.press("Control+a")
    page.keyboard.press("Enter")
    expect(page.locator("#end")).to_contain_text("All is decided")
    assert len(wait_for(desk, QUESTIONS)) == QUESTIONS


def test_more_like_this_is_gathered_and_decided_together(open_page: Open, desk: Served) -> None:
    page = open_page("/queue?order=unsure")
    first = shown(page)
    page.keyboard.press("m")
    chosen = QUESTIONS // 5
    expect(page.locator("#chosen")).to_have_text(f"{chosen} selected")
    page.keyboard.press("Enter")
    rows = wait_for(desk, chosen)
    assert {int(row["item_id"][:3]) % 5 for row in rows} == {int(first[:3]) % 5}
    page.keyboard.press("Control+a")
    page.keyboard.press("s")
    page.wait_for_selector("#current")  # back where it was asked for


def test_two_browsers_get_different_photos_and_see_each_other_s_answers(
    open_page: Open, desk: Served
) -> None:
    ann, bob = open_page("/queue?order=unsure"), open_page("/queue?order=unsure")
    assert shown(ann) != shown(bob)
    taken = set()
    for page in (ann, bob, ann, bob, ann):
        item = shown(page)
        assert item not in taken
        taken.add(item)
        page.keyboard.press("1")
        expect(page.locator("#current .question")).not_to_have_attribute("data-item", item)
    wait_for(desk, 5)
    for page in (ann, bob):
        expect(page.locator("#left")).to_have_text(str(QUESTIONS - 5))
        expect(page.locator("#progress")).to_contain_text(f"today {desk_user(page)} 5")


def desk_user(page: Page) -> str:
    return page.locator(".who").inner_text()


def test_nothing_moves_from_one_photo_to_the_next(open_page: Open) -> None:
    page = open_page("/queue?order=unsure")
    places = """() => ['.photo', '#current .best', '#deciding', '.beside'].map(each => {
        const box = document.querySelector(each).getBoundingClientRect();
        return [box.x, box.y, box.width].map(Math.round);
    })"""
    before = page.evaluate(places)
    for _ in range(3):
        item = shown(page)
        page.keyboard.press("1")
        expect(page.locator("#current .question")).not_to_have_attribute("data-item", item)
        assert page.evaluate(places) == before


def test_the_photo_is_shown_large_and_the_keys_are_told(open_page: Open) -> None:
    page = open_page("/queue?order=unsure")
    page.keyboard.press("z")
    expect(page.locator("#zoom")).to_be_visible()
    page.keyboard.press("1")  # decides nothing behind it
    page.keyboard.press("z")
    expect(page.locator("#zoom")).to_be_hidden()
    page.locator("#current .photo").click()
    expect(page.locator("#zoom")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    expect(page.locator("[data-do=undo]")).to_be_disabled()


PAGES = {
    "one": "/queue?order=unsure",
    "sheet": "/queue?view=sheet&order=unsure",
    "like": "/queue?like=000.jpg",
}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize(("width_px", "colours"), [(390, "light"), (1400, "dark")])
def test_nothing_is_cut_and_axe_finds_nothing_serious(
    open_page: Open, path: str, width_px: int, colours: Colours
) -> None:
    page = open_page(path, width_px, colours)
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    assert page.evaluate(CUT) == []
    page.locator("#find").focus()
    page.wait_for_selector("#found li")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert serious(page) == []


def test_axe_finds_nothing_serious_where_nothing_is_left(open_page: Open) -> None:
    page = open_page("/queue?view=sheet")
    page.keyboard.press("Control+a")
    page.keyboard.press("s")
    page.wait_for_selector(".end")
    expect(page.locator(".end")).to_contain_text(f"you have skipped {QUESTIONS}")
    assert serious(page) == []


def serious(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], each["nodes"][0]["html"][:200])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


def start_desk(folder: Path, port: int) -> "subprocess.Popen[str]":
    """Start the command, and wait until it serves."""
    run_file = folder / "desk.yaml"
    described = config_of(folder, audit_per_week=0).model_dump(mode="json", exclude_defaults=True)
    run_file.write_text(yaml.safe_dump(described))
    started = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "jobs.desk", str(run_file), "--no-browser", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and started.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health")
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return started
    raise AssertionError(started.stderr.read() if started.stderr else "")


def kill(desk: "subprocess.Popen[str]") -> None:
    os.kill(desk.pid, signal.SIGKILL)
    desk.wait()
    assert desk.stderr
    desk.stderr.close()


class Answering:
    """People who answer as fast as they can, and note what was confirmed to them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.confirmed: dict[str, str] = {}  # item -> key of its decision
        self.sent: dict[str, str] = {}
        self.some = threading.Event()

    def answer_all(self, person: int) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            try:
                page = client.get("/queue", params={"view": "sheet"}).text
                csrf = page.partition('"X-CSRF-Token": "')[2].partition('"')[0]
                for number, item in enumerate(items_of(page)):
                    key = f"{person:016x}{number:016x}"
                    self.sent[item] = key
                    self.send(client, csrf, item, key)
            except httpx.TransportError:
                return

    def send(self, client: httpx.Client, csrf: str, item: str, key: str) -> None:
        fields = {"key": key, "answer": "category", "category": "skirt", "item": item}
        answer = client.post("/queue/answer", data=fields, headers={"x-csrf-token": csrf})
        if item in answer.json().get("confirmed", []):
            self.confirmed[item] = key
            if len(self.confirmed) >= 5:
                self.some.set()


@pytest.mark.timeout(600)
def test_a_killed_server_loses_nothing_that_was_confirmed_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    make_questions(tmp_path, 150)
    port = free_port()
    desk = start_desk(tmp_path, port)
    people = Answering(f"http://127.0.0.1:{port}")
    with ThreadPoolExecutor(2) as pool:
        for person in range(2):
            pool.submit(people.answer_all, person)
        assert people.some.wait(120)
        kill(desk)
    assert len(people.confirmed) < 120  # it was in the middle of it
    rows = AnnotationsTable(str(tmp_path / "labels-annotations"), LOCAL).read().to_pylist()
    written = {row["item_id"]: row["annotation_id"] for row in rows}
    for item, key in people.confirmed.items():
        assert written[item] == f"{key}-{item}"

    desk = start_desk(tmp_path, port)
    try:  # what got no answer is sent again, as it was
        with httpx.Client(base_url=people.url, timeout=30) as client:
            text = client.get("/nowhere").text
            csrf = text.partition('"X-CSRF-Token": "')[2].partition('"')[0]
            for item, key in people.sent.items():
                people.send(client, csrf, item, key)
    finally:
        kill(desk)
    assert people.confirmed.keys() == people.sent.keys()
    raw = DeltaTable(str(tmp_path / "labels-annotations")).to_pyarrow_table()
    ids = raw["annotation_id"].to_pylist()
    assert sorted(ids) == sorted(f"{key}-{item}" for item, key in people.sent.items())


@pytest.mark.timeout(600)
def test_who_answers_while_the_server_is_killed_is_told_and_goes_on(
    chromium: Browser, tmp_path: Path
) -> None:
    make_questions(tmp_path, 12)
    port = free_port()
    desk = start_desk(tmp_path, port)
    page = chromium.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"http://127.0.0.1:{port}/queue?order=unsure")
    page.wait_for_selector("#current .question")
    item = shown(page)
    kill(desk)
    page.keyboard.press("1")
    expect(page.locator("#current .unwritten")).to_contain_text("does not answer")
    assert shown(page) == item
    desk = start_desk(tmp_path, port)
    try:
        page.reload()
        page.wait_for_selector("#current .question")
        assert shown(page) == item
        page.keyboard.press("1")
        expect(page.locator("#current .question")).not_to_have_attribute("data-item", item)
        expect(page.locator("#progress")).to_contain_text("today")
        expect(page.locator("#left")).to_have_text("11")
    finally:
        page.close()
        kill(desk)
