"""People at a desk, as a script: each opens pages, looks, and decides, with time to think."""

import asyncio
import random
import re
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from html import unescape

import aiohttp

from benchmarks.desk_table import LEAVES
from benchmarks.made_titles import COLOURS, KINDS, THINGS

THINK_S = (1.5, 4.5)
AT_ONCE = 6  # pictures that a browser asks for at a time
ITEM = re.compile(r'type="checkbox" name="item" value="(.*?)"')
NEXT = re.compile(r'rel="next" href="(.*?)"')
TOKEN = re.compile(r'"X-CSRF-Token": "(.*?)"')


@dataclass
class Times:
    """How long each answer of the desk took, in ms, by kind; and what went wrong."""

    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    def percentile(self, kind: str, share: float) -> float:
        """Return a percentile of a kind; 0 where there is none."""
        found = sorted(self.ms[kind])
        return found[min(int(share * len(found)), len(found) - 1)] if found else 0.0


class User:
    """One person with a browser."""

    def __init__(self, number: int, url: str, times: Times) -> None:
        """Sit down."""
        self._dice, self._url, self._times = random.Random(number), url, times  # noqa: S311  # must repeat
        self._token = ""
        self._seen: set[str] = set()

    async def work(self, until: float) -> None:
        """Open pages and decide until the clock says so."""
        jar = aiohttp.CookieJar(unsafe=True)  # also of an address without a name
        async with aiohttp.ClientSession(self._url, cookie_jar=jar) as self._session:
            await asyncio.sleep(self._dice.uniform(0, THINK_S[1]))
            while time.monotonic() < until:
                await self._dice.choices(
                    [self._browse, self._item, self._category, self._search, self._queue],
                    [6, 3, 1, 1, 3],
                )[0]()

    async def _browse(self) -> None:
        """Open a sheet, decide some of it, and look at the next page."""
        asked = [
            f"category={self._dice.choice(LEAVES[:40])}",
            self._dice.choice(["", "decision=review", "decision=review", "decision=accept"]),
            self._dice.choice(["", "", "order=sure", "least=40&most=70"]),
        ]
        html = await self._page("page", f"/browse?{'&'.join(each for each in asked if each)}")
        await self._look(html)
        items = [unescape(each) for each in ITEM.findall(html)]
        if items:
            chosen = items[: self._dice.choice([1, 1, 5, 20])]
            told = [("item", each) for each in chosen]
            told += [("answer", "category"), ("category", self._dice.choice(LEAVES))]
            await self._decide([*told, ("sheet", f"?{asked[0]}")])
        if later := NEXT.search(html):
            await self._look(await self._page("page", unescape(later[1])))

    async def _item(self) -> None:
        number = self._dice.randrange(100_000)
        asked = f"id=shop%2F{number:08d}.jpg"
        await self._page("page", f"/item?{asked}")
        await self._page("part", f"/item/history?{asked}")
        await self._think()
        told = [("item", f"shop%2F{number:08d}.jpg"), ("answer", "category")]
        await self._decide([*told, ("category", self._dice.choice(LEAVES))], "/item/answer")

    async def _category(self) -> None:
        leaf = self._dice.choice(LEAVES[:40])
        html = await self._page("page", f"/category?id={leaf}")
        await self._page("part", f"/category/precision?id={leaf}")
        await self._look(html)

    async def _search(self) -> None:
        words = [self._dice.choice(each) for each in (KINDS, THINGS, COLOURS)]
        await self._look(await self._page("page", f"/search?title={'+'.join(words)}"))

    async def _queue(self) -> None:
        await self._page("page", "/queue")
        await self._think()

    async def _think(self) -> None:
        await asyncio.sleep(self._dice.uniform(*THINK_S))

    async def _look(self, html: str) -> None:
        """Have the pictures of a page come, as a browser does, and look at them."""
        wanted = {unescape(each) for each in re.findall(r'src="(/picture.*?)"', html)} - self._seen
        self._seen |= wanted
        gate = asyncio.Semaphore(AT_ONCE)

        async def show(path: str) -> None:
            async with gate:
                await self._page("picture", path)

        await asyncio.gather(*map(show, wanted))
        await self._think()

    async def _page(self, kind: str, path: str) -> str:
        return await self._timed(kind, "GET", path, None)

    async def _decide(self, told: list[tuple[str, str]], path: str = "/browse/answer") -> None:
        await self._timed("decide", "POST", path, [*told, ("key", uuid.uuid4().hex)])

    async def _timed(
        self, kind: str, method: str, path: str, told: list[tuple[str, str]] | None
    ) -> str:
        began = time.perf_counter()
        try:
            answer, body = await self._ask(method, path, told)
        except aiohttp.ClientConnectionError:
            # an idle connection was closed as it was used again: a browser asks again, too
            answer, body = await self._ask(method, path, told)
        self._times.ms[kind].append((time.perf_counter() - began) * 1_000)
        if answer.status != 200:
            self._times.wrong.append(f"{answer.status} {method} {path}: {body[:200]!r}")
        text = body.decode(errors="replace") if kind != "picture" else ""
        if found := TOKEN.search(text):
            self._token = found[1]
        return text

    async def _ask(
        self, method: str, path: str, told: list[tuple[str, str]] | None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        headers = {"x-csrf-token": self._token}
        data = None if told is None else aiohttp.FormData(told)
        async with self._session.request(method, path, data=data, headers=headers) as answer:
            return answer, await answer.read()


async def work(url: str, users: int, seconds: float, times: Times) -> None:
    """Let so many people work for so long."""
    until = time.monotonic() + seconds
    await asyncio.gather(*(User(number, url, times).work(until) for number in range(users)))
