"""What a person does on the queue: answer, take back, skip, keep open."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from lib.desk.deciding import Asker, Decision, decide_in_queue, take_back
from lib.desk.render import desk_of
from lib.desk.state import Desk
from lib.errors import InputError, ReshelveError

router = APIRouter()
Do = Callable[[Desk, Asker, FormData], Mapping[str, Any]]


@router.post("/queue/answer")
async def answer(request: Request) -> JSONResponse:
    """Take a decision on items, and confirm it once it is written."""
    return await _done(request, _answer)


@router.post("/queue/undo")
async def undo(request: Request) -> JSONResponse:
    """Take a decision back."""
    return await _done(request, _undo)


@router.post("/queue/skip")
async def skip(request: Request) -> JSONResponse:
    """Show items no more in this session."""
    return await _done(request, _skip)


@router.post("/queue/again")
async def again(request: Request) -> JSONResponse:
    """Show skipped items again: those that are named, or all."""
    return await _done(request, _again)


@router.post("/queue/keep")
async def keep(request: Request) -> JSONResponse:
    """Reserve what somebody still looks at for another minute."""
    return await _done(request, _keep)


async def _done(request: Request, do: Do) -> JSONResponse:
    form = await request.form(max_files=0, max_fields=2_000)
    asker = Asker(user=request.state.user, session=request.state.session)
    try:
        found = await run_in_threadpool(do, desk_of(request), asker, form)
    except InputError as error:
        return JSONResponse({"sentence": str(error)}, 400)
    except ReshelveError as error:
        return JSONResponse({"sentence": str(error)}, 503)
    return JSONResponse(found)


def _answer(desk: Desk, asker: Asker, form: FormData) -> Mapping[str, Any]:
    decision = Decision(
        key=_text(form, "key"),
        answer=_text(form, "answer"),
        category_id=_text(form, "category") or None,
        item_ids=_items(form),
    )
    outcome = decide_in_queue(desk, asker, decision)
    return {"confirmed": outcome.confirmed, "refused": outcome.refused}


def _undo(desk: Desk, asker: Asker, form: FormData) -> Mapping[str, Any]:
    return {"items": take_back(desk, asker, _text(form, "decision"), _text(form, "key"))}


def _skip(desk: Desk, asker: Asker, form: FormData) -> Mapping[str, Any]:
    desk.queue.skip(asker.session, _items(form))
    return {}


def _again(desk: Desk, asker: Asker, form: FormData) -> Mapping[str, Any]:
    desk.queue.show_again(asker.session, _items(form) or None)
    return {}


def _keep(desk: Desk, asker: Asker, form: FormData) -> Mapping[str, Any]:
    items = _items(form)
    kept = desk.reservations.take(items, asker.session, len(items)) if items else []
    return {"kept": kept}


def _text(form: FormData, name: str) -> str:
    found = form.get(name)
    return found if isinstance(found, str) else ""


def _items(form: FormData) -> list[str]:
    return [each for each in form.getlist("item") if isinstance(each, str)]
