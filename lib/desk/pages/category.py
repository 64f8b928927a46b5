"""One category: how large and how sure it is, how often it is right, and what it is taken for."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from lib.desk.category_figures import confused_with, moved
from lib.desk.filters import Filters, below
from lib.desk.render import desk_of, page
from lib.desk.sheets import find_sheet
from lib.desk.tree import sums
from lib.review.audit import audit_figures
from lib.sparklines import sparkline

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter()
PHOTOS = 12
MOST = 8  # categories that it is confused with


@router.get("/category")
def show(request: Request, id: str) -> HTMLResponse:  # noqa: A002  # as it stands in the address
    """Show a category."""
    desk = desk_of(request)
    table, taxonomy = desk.table, desk.taxonomy
    if id not in taxonomy.by_id:
        raise HTTPException(404, f"The taxonomy has no category '{id}'.")
    items: Mapping[str, int] = sums(taxonomy, table.counts_by_category()).get(id, {})
    nights = [each.get(id, 0) for each in desk.nights.totals(table.version, taxonomy)]
    inside = below(taxonomy, id)
    sheets = {
        order: find_sheet(table, taxonomy, Filters(category=id, order=order), PHOTOS).rows
        for order in ("doubtful", "sure")
    }
    values = {
        "category": taxonomy.by_id[id],
        "trail": [(each, taxonomy.by_id[each].name) for each in reversed(taxonomy.ancestors(id))],
        "below": [each for each in taxonomy.categories if each.parent == id],
        "leaf": id in taxonomy.leaves,
        "items": items,
        "total": sum(items.values()),
        "line": sparkline(nights),
        "nights": len(nights),
        "confused": confused_with(table, inside, MOST),
        "moved_out": moved(table, inside, into=False, most=MOST),
        "moved_in": moved(table, inside, into=True, most=MOST),
        "sheets": sheets,
        "filters": Filters(category=id),
        "taxonomy": taxonomy,
    }
    return page(request, "category.html.j2", values)


@router.get("/category/precision")
def precision(request: Request, id: str) -> HTMLResponse:  # noqa: A002  # as above
    """Show how often accepted labels of a category are right, by answers that were given blind."""
    desk = desk_of(request)
    figures = audit_figures(desk.table.read("SELECT * FROM history"), desk.taxonomy.version)
    found = [each for each in figures.by_category if each.category_id == id]
    values = {"audited": found[0] if found else None, "whole": figures.whole}
    return page(request, "category_precision.html.j2", values)
