"""Browsing: the tree of categories, and sheets of their items, where many are decided at once."""

import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from lib.desk.deciding import MOST_ITEMS, decide
from lib.desk.filters import DECISIONS, ORDERS, read_filters
from lib.desk.render import desk_of, environment, page
from lib.desk.sheets import count_items, find_sheet
from lib.desk.tree import branches, by_decision
from lib.errors import ReshelveError
from lib.labels.annotations import Answer
from lib.reasons import MEANINGS
from lib.sparklines import sparkline

router = APIRouter()
MOST_BRANCHES = 5_000  # whose figures are kept, of 1 KB
MOST_RUNS = 60  # that can be chosen from
_RUNS = f"""
    SELECT run_id, max("at") AS "at", sum(items)::BIGINT AS items FROM counted
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_RUNS}"""  # noqa: S608  # a number of ours
_ERRORS = """
    SELECT error, sum(items)::BIGINT AS items FROM counted WHERE error IS NOT NULL
    GROUP BY 1 ORDER BY 2 DESC, 1"""


@router.get("/browse")
def browse(request: Request) -> HTMLResponse:
    """Show the tree, and the sheet that the address asks for."""
    desk = desk_of(request)
    table, taxonomy = desk.table, desk.taxonomy
    filters = read_filters(request.query_params)
    counts, nights = table.counts_by_category(), desk.nights.totals(table.version, taxonomy)
    values = {
        "tree": branches(taxonomy, counts, nights, filters.category),
        "counts": by_decision(counts),
        "totals": [each[None] for each in nights],
        "runs": table.rows_once(_RUNS),
        "errors": table.rows_once(_ERRORS),
        "category": taxonomy.by_id.get(filters.category),
        "decisions": DECISIONS,
        "orders": ORDERS,
        "meanings": MEANINGS,
        "figures": _figures,
    }
    return page(request, "browse.html.j2", values | _sheet(request, request.query_params))


def _figures(items: Mapping[str, int], nights: Sequence[int]) -> Markup:
    """Draw the figures of a branch; those of most are the same on each page."""
    return _drawn(tuple(sorted(items.items())), tuple(nights))


@lru_cache(MOST_BRANCHES)
def _drawn(items: tuple[tuple[str, int], ...], nights: tuple[int, ...]) -> Markup:
    template = environment().get_template("tree_figures.html.j2")
    return Markup(template.render(items=dict(items), nights=nights, sparkline=sparkline))  # noqa: S704  # escaped by the template


@router.get("/categories")
def categories(request: Request) -> Response:
    """Return id and path of the categories that an item can have, for those who type one."""
    taxonomy = desk_of(request).taxonomy
    tag = f'"{taxonomy.digest}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return JSONResponse([[each, taxonomy.path(each)] for each in taxonomy.leaves], headers=headers)


@router.post("/browse/answer")
async def answer(request: Request) -> HTMLResponse:
    """Take a decision on the chosen items, and show what they are then.

    The form has `item`, once per item and percent-encoded, and what `decide` reads. With `sheet`,
    the query of a sheet's address, that sheet is shown again; without it, each of the items.
    """
    form = await request.form(max_files=0, max_fields=MOST_ITEMS + 20)
    told = {name: value for name, value in form.items() if isinstance(value, str)}
    item_ids = [unquote(each) for each in form.getlist("item") if isinstance(each, str)]
    return await run_in_threadpool(_answered, request, item_ids, told)


def _answered(request: Request, item_ids: list[str], told: dict[str, str]) -> HTMLResponse:
    desk, of = desk_of(request), told.get("sheet")
    values: dict[str, object] = {"of": of, "done": "", "wrong": "", "undo": [], "rows": []}
    values["key"] = secrets.token_hex(12)
    try:
        outcome, sentence = decide(desk, request.state.user, item_ids, told)
    except ReshelveError as error:
        found = page(request, "browse_answered.html.j2", values | {"wrong": str(error)}, 400)
        found.headers["hx-reswap"] = "none"  # what was chosen stays chosen
        return found
    undo = outcome.confirmed if told["answer"] != Answer.WITHDRAWN else []
    values |= {"done": sentence, "undo": undo}
    if of is None:
        values["rows"] = desk.table.items(outcome.confirmed)
    else:
        values |= _sheet(request, dict(parse_qsl(of.removeprefix("?"))))
    return page(request, "browse_answered.html.j2", values)


def _sheet(request: Request, given: Mapping[str, str]) -> dict[str, object]:
    desk = desk_of(request)
    filters = read_filters(given)
    return {
        "filters": filters,
        "sheet": find_sheet(desk.table, desk.taxonomy, filters),
        "items": count_items(desk.table, desk.taxonomy, filters),
        "key": secrets.token_hex(12),
    }
