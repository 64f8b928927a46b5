"""One item: its picture, what is known of it, what became of it, and a form to answer."""

import secrets
from urllib.parse import unquote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from lib.desk.alike import why_nothing
from lib.desk.deciding import decide
from lib.desk.label_rows import Row
from lib.desk.render import desk_of, page
from lib.errors import ReshelveError
from lib.labels.annotations import STANDING
from lib.labels.item_history import MOST_VERSIONS, item_history
from lib.reasons import MEANINGS
from lib.search.catalog import Asked

router = APIRouter()
ALIKE = 12


@router.get("/item")
def show(request: Request, id: str) -> HTMLResponse:  # noqa: A002  # as it stands in the address
    """Show an item."""
    return page(request, "item.html.j2", _values(request, id))


@router.post("/item/answer")
async def answer(request: Request) -> HTMLResponse:
    """Take an answer about an item, and show what it is then."""
    form = await request.form(max_files=0)
    told = {name: value for name, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_answered, request, request.state.user, told)


def _answered(request: Request, user: str, told: dict[str, str]) -> HTMLResponse:
    item_id, wrong, done = unquote(told.get("item", "")), "", ""
    _found(request, item_id)
    try:
        _, done = decide(desk_of(request), user, [item_id], told)
    except ReshelveError as error:
        wrong = str(error)
    values = _values(request, item_id) | {"done": done, "wrong": wrong}
    found = page(request, "item_answered.html.j2", values, 400 if wrong else 200)
    found.headers["hx-trigger"] = "answered"  # its history has one more
    return found


@router.get("/item/history")
def history(request: Request, id: str) -> HTMLResponse:  # noqa: A002  # as above
    """Show what an item was in earlier versions of the table, and every answer about it."""
    desk = desk_of(request)
    values = {
        "steps": item_history(desk.labels, id),
        "most": MOST_VERSIONS,
        "annotations": desk.table.history_of([id])[id],
        "taxonomy": desk.taxonomy,
    }
    return page(request, "item_history.html.j2", values)


@router.get("/item/alike")
def alike(request: Request, id: str) -> HTMLResponse:  # noqa: A002  # as above
    """Show the items that look most like one."""
    desk = desk_of(request)
    values: dict[str, object] = {"id": id, "found": [], "why": "", "key": secrets.token_hex(12)}
    try:
        hits = desk.searching.of(desk.table.version).catalog.like_item(id, Asked(top=ALIKE))
        scores = {hit.item_id: hit.score for hit in hits}
        values["found"] = [(row, scores[row["item_id"]]) for row in desk.table.items(list(scores))]
    except ReshelveError as error:
        values["why"] = why_nothing(error)
    return page(request, "item_alike.html.j2", values)


def _found(request: Request, item_id: str) -> Row:
    found = desk_of(request).table.item(item_id)
    if found is None:
        raise HTTPException(404, f"The table has no item '{item_id}'.")
    return found


def _values(request: Request, item_id: str) -> dict[str, object]:
    row = _found(request, item_id)
    taxonomy = desk_of(request).taxonomy
    best = [
        (each["category_id"], taxonomy.path(each["category_id"]), each["probability"])
        for each in row["top_k"] or []
        if each["category_id"] in taxonomy.leaves
    ]
    known = row["category_id"] in taxonomy.by_id
    return {
        "row": row,
        "best": best,
        "trail": [
            (each, taxonomy.by_id[each].name)
            for each in (*reversed(taxonomy.ancestors(row["category_id"])), row["category_id"])
        ]
        if known
        else [],
        "answered": row["answer"] in STANDING,
        "right": row["category_id"] in taxonomy.leaves,
        "meaning": MEANINGS.get(row["error"], "") if row["error"] else "",
        "key": secrets.token_hex(12),
        "taxonomy": taxonomy,
    }
