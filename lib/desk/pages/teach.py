"""Answers teach: a new head fitted on them, what it would change, and how it comes to the table."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from lib.desk.job_log import JobRecord
from lib.desk.job_plans import FIT, NewBundle, answers_plan, fit_plan, head_plan
from lib.desk.pages.jobs import watch
from lib.desk.refused import refused
from lib.desk.render import desk_of, page
from lib.desk.state import Desk
from lib.errors import InputError, ReshelveError
from lib.labels.history import newest_made
from lib.storage.uris import absolute, join

router = APIRouter()
HEADS = "desk-heads"  # among the runs
MOVES = 10  # that are shown
COUNTS = """
    SELECT count(*) FILTER (decision = 'person') AS answers,
        count(*) FILTER (decision IS DISTINCT FROM model_decision
            OR category_id IS DISTINCT FROM model_category_id) AS unpublished FROM shown"""


@router.get("/teach")
def teach(request: Request) -> HTMLResponse:
    """Show what answers could teach, and the newest head that was fitted on them."""
    desk = desk_of(request)
    fitted = desk.jobs.newest("review", FIT)
    bundle = bundle_of(fitted)
    made = newest_made(desk.labels.history())
    moved = (fitted.told.get("changes") or {}).get("moved") or [] if fitted else []
    values: dict[str, Any] = {
        **desk.table.rows(COUNTS)[0],
        "fitted": fitted,
        "in_use": bool(bundle and made and made.made.bundle_digest == bundle.digest),
        "tried": desk.jobs.tried("backfill", bundle.digest) if bundle else None,
        "moved": [(_path(desk, m["from"]), _path(desk, m["to"]), m["rows"]) for m in moved[:MOVES]],
        "more_moves": max(len(moved) - MOVES, 0),
        "running": desk.jobs.running,
        "may_relabel": desk.config.jobs.backfill is not None,
        "next_version": desk.table.version + 1,
    }
    return page(request, "teach.html.j2", values)


@router.post("/teach/fit")
def fit(request: Request) -> Response:
    """Fit a new head on the answers."""
    desk = desk_of(request)
    name = f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    folder = join(absolute(desk.config.runs), HEADS, name)
    try:
        record = desk.jobs.start(fit_plan(desk.config, folder), request.state.user)
    except ReshelveError as error:
        return refused(request, error)
    return watch(record)


@router.post("/teach/relabel")
def relabel(request: Request, rehearsal: Annotated[str, Form()] = "") -> Response:
    """Label the catalog with the newest head that was fitted here; tried before it is done."""
    desk = desk_of(request)
    try:
        bundle = bundle_of(desk.jobs.newest("review", FIT))
        if bundle is None:
            raise InputError("fit a new head first")
        if not rehearsal and not desk.jobs.tried("backfill", bundle.digest):
            raise InputError("try it first: what it would do is not known yet")
        plan = head_plan(desk.config, bundle, rehearsal=bool(rehearsal))
        record = desk.jobs.start(plan, request.state.user)
    except ReshelveError as error:
        return refused(request, error)
    return watch(record)


@router.post("/teach/publish-answers")
def publish_answers(request: Request) -> Response:
    """Let the table show the answers at once."""
    desk, user = desk_of(request), request.state.user
    try:
        record = desk.jobs.start(answers_plan(desk.config, user), user)
    except ReshelveError as error:
        return refused(request, error)
    return watch(record)


def bundle_of(fitted: JobRecord | None) -> NewBundle | None:
    """Return the bundle that a job has fitted, or None."""
    told = fitted.told if fitted else {}
    if not (told.get("bundle") and told.get("bundle_digest")):
        return None
    return NewBundle(uri=str(told["bundle"]), digest=str(told["bundle_digest"]))


def _path(desk: Desk, category_id: str | None) -> str:
    if category_id is None:
        return "no category"
    known = category_id in desk.taxonomy.by_id
    return desk.taxonomy.path(category_id) if known else category_id
