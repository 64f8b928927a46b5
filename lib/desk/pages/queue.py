"""The queue: one question at a time, or a sheet of sixty."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from lib.desk.alike import labelled_like, waiting_like, why_nothing
from lib.desk.finding import find_categories
from lib.desk.question import Question, question_of
from lib.desk.render import desk_of, page
from lib.errors import ReshelveError
from lib.review.order import Order

router = APIRouter()
View = Literal["one", "sheet"]
AT_ONCE = {"one": 4, "sheet": 60}  # the one that is shown and the next few; a sheet
TOGETHER = 24  # an item and what is like it
NEAREST = 8
FOUND = 12  # categories
ORDERS = {
    Order.HELPFUL: "Helpful",
    Order.UNSURE: "Unsure",
    Order.SURE: "Sure",
    Order.RANDOM: "Random",
}
COUNTED = ("queue", "browse", "audit")  # why somebody was asked, where that is work of a day


@router.get("/queue")
def show(
    request: Request, view: View = "one", order: Order = Order.HELPFUL, like: str = ""
) -> HTMLResponse:
    """Show what waits for a person, or what is like one item."""
    desk, session, wrong = desk_of(request), request.state.session, ""
    chosen: set[str] = set()
    if like:
        view, here = "sheet", [like]
        try:
            near = waiting_like(desk.searching.of(desk.table.version), desk.table, like)
            here += [each for each in near.item_ids if each != like]
            chosen = {like, *near.clearly}
        except ReshelveError as error:
            wrong = why_nothing(error)
        ids = desk.reservations.take(here, session, TOGETHER)
    else:
        ids = desk.queue.take(desk.table, order, session, AT_ONCE[view])
    values: dict[str, object] = {
        "view": view,
        "order": order,
        "orders": ORDERS,
        "like": like,
        "wrong": wrong,
    }
    values |= {**_progress(request, exact=not ids), **_of(request, ids, chosen)}
    return page(request, "queue.html.j2", values)


@router.post("/queue/more")
async def more(request: Request) -> HTMLResponse:
    """Return the next questions, or those that are named."""
    form = await request.form(max_files=0, max_fields=2_000)
    view: View = "sheet" if form.get("view") == "sheet" else "one"
    by = next((each for each in Order if each == form.get("order")), Order.HELPFUL)
    have, only = _texts(form.getlist("have")), _texts(form.getlist("only"))
    return await run_in_threadpool(_more, request, view, by, have, only)


def _more(
    request: Request, view: View, by: Order, have: Sequence[str], only: Sequence[str]
) -> HTMLResponse:
    desk, session = desk_of(request), request.state.session
    if only:
        ids = desk.reservations.take(only, session, len(only))
    else:
        ids = desk.queue.take(desk.table, by, session, AT_ONCE[view], have)
    template = "queue_cards.html.j2" if view == "one" else "queue_tiles.html.j2"
    return page(request, template, _of(request, ids))


@router.get("/queue/end")
def end(request: Request) -> HTMLResponse:
    """Say that nothing is left, and what to do next."""
    return page(request, "queue_end.html.j2", _progress(request, exact=True))


@router.get("/queue/nearest")
def nearest(request: Request, item: str) -> HTMLResponse:
    """Return the labelled items that look most like one."""
    desk, wrong = desk_of(request), ""
    try:
        searched = desk.searching.of(desk.table.version)
        found = labelled_like(searched, desk.table, desk.taxonomy, item, NEAREST)
    except ReshelveError as error:
        found, wrong = [], why_nothing(error)
    return page(request, "queue_nearest.html.j2", {"found": found, "wrong": wrong})


@router.get("/queue/progress")
def progress(request: Request) -> HTMLResponse:
    """Return how much is left, and who has decided how much today."""
    return page(request, "queue_progress.html.j2", _progress(request))


@router.get("/queue/categories")
def categories(request: Request, text: str = "") -> HTMLResponse:
    """Return the categories that a text may mean."""
    taxonomy = desk_of(request).taxonomy
    found = [
        {
            "id": each,
            "name": taxonomy.by_id[each].name,
            "above": taxonomy.path(each).removesuffix(taxonomy.by_id[each].name).rstrip(" >"),
        }
        for each in find_categories(taxonomy, text[:200], FOUND)
    ]
    return page(request, "queue_categories.html.j2", {"found": found})


def _of(
    request: Request, item_ids: Sequence[str], chosen: Collection[str] = ()
) -> dict[str, Collection[Question] | Collection[str]]:
    desk = desk_of(request)
    told = desk.table.history_of(item_ids)
    rows = desk.table.items(item_ids)
    questions = [question_of(row, told[row["item_id"]], desk.taxonomy) for row in rows]
    return {"questions": questions, "chosen": chosen}


def _progress(request: Request, *, exact: bool = False) -> Mapping[str, Any]:
    desk, session = desk_of(request), request.state.session
    given = (said for said in desk.table.answers_of_today() if said.stands and said.why in COUNTED)
    today = Counter(said.by for said in given)
    return {
        "left": desk.queue.left(desk.table, 0.0) if exact else desk.queue.left(desk.table),
        "today": [
            {"by": by, "n": today[by]} for by in sorted(today, key=lambda by: (-today[by], by))
        ],
        "skipped": desk.queue.skipped(session),
    }


def _texts(values: Sequence[object]) -> list[str]:
    return [each for each in values if isinstance(each, str)]
