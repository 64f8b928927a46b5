"""Pages from templates: every text is escaped, and what would act on a page is shown."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from lib.hashing import digest_bytes
from lib.printable import printable

if TYPE_CHECKING:
    from lib.desk.state import Desk


def desk_of(request: Request) -> "Desk":
    """Return the desk that a request is asked of."""
    desk: Desk = request.app.state.desk
    return desk


def page(
    request: Request, template: str, values: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """Render a page, or a part of one where htmx asks for it.

    Args:
        request: whose path marks the place in the menu.
        template: in `lib/desk/templates`.
        values: for it; `request`, `desk`, `user` and `csrf` are there as well.
        status: of the answer.
    """
    state = request.state
    known = {
        "request": request,
        "desk": desk_of(request),
        "user": state.user,
        "csrf": state.csrf,
        "part": "hx-request" in request.headers,
    }
    text = environment().get_template(template).render({**known, **values})
    return HTMLResponse(printable(text), status)


@cache
def environment() -> Environment:
    """Return the templates' environment, made once per process."""
    made = Environment(
        loader=PackageLoader("lib.desk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["path"] = lambda text: quote(text, safe="")
    made.filters["percent"] = lambda share: "" if share is None else f"{share:.0%}"
    made.filters["count"] = lambda number: f"{number:,}"
    made.filters["day"] = _day
    made.filters["mark"] = lambda text: digest_bytes(text.encode())[:16]  # names an element
    return made


def compile_templates() -> None:
    """Make programs of all templates, a quarter of a second that the first page would take."""
    for name in environment().list_templates():
        environment().get_template(name)


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
