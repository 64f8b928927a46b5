"""The server of a desk: its pages, its files, and words where something is wrong."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from lib.desk.render import page
from lib.desk.security import Access, Guard, TooLargeError
from lib.desk.state import Desk
from lib.errors import ReshelveError

HERE = Path(__file__).parent


def make_app(desk: Desk, access: Access, routers: Sequence[APIRouter]) -> Guard:
    """Make the app of a desk.

    Args:
        desk: open.
        access: who may use it.
        routers: of its pages.
    """
    app = FastAPI(title="Reshelve", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for router in routers:
        app.include_router(router)

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)  # browsers ask for one; there is none

    @app.exception_handler(ReshelveError)
    async def said(request: Request, error: ReshelveError) -> Response:
        return _wrong(request, str(error), 400)

    @app.exception_handler(TooLargeError)
    async def too_large(request: Request, error: TooLargeError) -> Response:
        return _wrong(request, str(error), 413)

    @app.exception_handler(HTTPException)
    async def not_there(request: Request, error: HTTPException) -> Response:
        return _wrong(request, str(error.detail), error.status_code)

    return Guard(app, access)


def _wrong(request: Request, sentence: str, status: int) -> HTMLResponse:
    return page(request, "wrong.html.j2", {"sentence": sentence}, status)
