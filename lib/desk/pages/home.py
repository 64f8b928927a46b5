"""Where a desk begins, and whether it works."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from lib.desk.render import desk_of

router = APIRouter()


@router.get("/")
def home() -> RedirectResponse:
    """Lead to what waits for a person."""
    return RedirectResponse("/queue", 303)


@router.get("/health")
def health(request: Request) -> dict[str, object]:
    """Say which version of the table is shown, and what keeps the desk from newer ones."""
    desk = desk_of(request)
    return {"version": desk.table.version, "trouble": desk.trouble}
