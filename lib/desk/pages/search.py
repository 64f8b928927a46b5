"""Searching: by title, by a photo that is dropped on the page, or by what looks like an item."""

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from lib.desk.alike import why_nothing
from lib.desk.label_rows import Row
from lib.desk.pictures import LARGE_PX
from lib.desk.render import desk_of, page
from lib.desk.searching import MOST, titled
from lib.errors import InputError, ReshelveError
from lib.reasons import MEANINGS, ItemError
from lib.search.catalog import Asked, Hit

router = APIRouter()


@router.get("/search")
def show(request: Request, title: str = "", like: str = "") -> HTMLResponse:
    """Show the page, and what an address asks for."""
    desk = desk_of(request)
    desk.searching.warm(desk.table.version)
    title, found, why = title.strip(), list[tuple[Row, float]](), ""
    try:
        if title:
            item = desk.table.item(title)
            others = [each for each in titled(desk.table, title) if each[0]["item_id"] != title]
            found = [(item, 1.0), *others] if item else others
        elif like:
            hits = desk.searching.of(desk.table.version).catalog.like_item(like, Asked(top=MOST))
            found = _rows(request, hits)
    except ReshelveError as error:
        why = why_nothing(error) if desk.table.item(like) else str(error)
    item = desk.table.item(like) if like and not title else None
    values = {"asked": title or like, "title": title, "like": item, "found": found, "why": why}
    return page(request, "search.html.j2", values | {"key": secrets.token_hex(12)})


@router.post("/search/photo")
async def photo(request: Request) -> HTMLResponse:
    """Show what looks like a photo that was sent."""
    async with request.form(max_files=1, max_fields=1) as form:
        sent = form.get("photo")
        data = await sent.read() if isinstance(sent, UploadFile) else b""
    return await run_in_threadpool(_alike, request, data)


def _alike(request: Request, data: bytes) -> HTMLResponse:
    desk, found, why = desk_of(request), list[tuple[Row, float]](), ""
    try:
        if not data:
            raise InputError("choose a photo first")
        # what was sent is decoded in a process that it may kill; here, only what that one made
        jpeg = desk.pictures.of_bytes(data, LARGE_PX)
        searched = desk.searching.of(desk.table.version)
        found = _rows(request, searched.like_picture(jpeg, Asked(top=MOST)))
    except ItemError as error:
        why = f"this file cannot be used: {MEANINGS[error.reason]}: {error.detail}"
    except ReshelveError as error:
        why = str(error)
    values = {"asked": "photo", "found": found, "why": why, "key": secrets.token_hex(12)}
    return page(request, "search_found.html.j2", values)


def _rows(request: Request, hits: list[Hit]) -> list[tuple[Row, float]]:
    scores = {hit.item_id: hit.score for hit in hits}
    rows = desk_of(request).table.items(list(scores))
    return [(row, scores[row["item_id"]]) for row in rows]
