"""Jobs that the desk has started: how far the one that runs is, and how the others ended."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from lib.desk.job_log import JobRecord
from lib.desk.job_plans import JobPlan, backfill_plan, classify_plan
from lib.desk.refused import refused
from lib.desk.render import desk_of, page
from lib.desk.state import Desk
from lib.errors import InputError, ReshelveError
from lib.runs.progress import duration
from lib.storage.uris import absolute, join

router = APIRouter()
SHOWN_LINES = 12
Text = Annotated[str, Form()]
# what an exit code means, for who never saw one
MEANINGS = {
    0: "It is done.",
    2: "It did not begin: something that it was given cannot be used.",
    3: "It is finished, and not published: a check of what it would change has failed.",
    4: "It is finished, and not published: others have changed the same items meanwhile.",
    130: "It was stopped.",
}


@router.get("/jobs")
def job(request: Request, job: str) -> HTMLResponse:
    """Show a job; the part that changes asks for itself until it has ended."""
    desk = desk_of(request)
    record = desk.jobs.find(job)
    if record is None:
        raise InputError("there is no such job")
    running = desk.jobs.running
    is_running = running is not None and running.job_id == job
    lines = desk.jobs.progress(job)[1] if is_running else list(record.lines)
    values = {
        "record": record,
        "is_running": is_running,
        "progress": desk.jobs.progress(job)[0] if is_running else None,
        "lines": lines,
        "shown": lines[-SHOWN_LINES:],
        "took": duration(((record.ended or datetime.now(UTC)) - record.begun).total_seconds()),
        "meaning": MEANINGS.get(record.exit_code or 0, "It did not come to its end."),
        "next": record.page if record.went_well and not is_running else None,
        "has_report": bool(record.told.get("report")) and _is_here(desk, record),
    }
    template = "job_now.html.j2" if "hx-request" in request.headers else "job.html.j2"
    return page(request, template, values)


@router.post("/jobs/start")
def start(request: Request, job: Text, rehearsal: Text = "") -> Response:
    """Start a job of the run files that the desk was given; for real where it was tried."""
    desk = desk_of(request)
    try:
        plan = _plan(desk, job, rehearsal=bool(rehearsal))
        if not plan.rehearsal and not desk.jobs.tried(plan.job, plan.of):
            raise InputError("try it first: what it would do is not known yet")
        record = desk.jobs.start(plan, request.state.user)
    except ReshelveError as error:
        return refused(request, error)
    return watch(record)


@router.post("/jobs/stop")
def stop(request: Request) -> Response:
    """Stop the job that runs."""
    desk = desk_of(request)
    running = desk.jobs.running
    desk.jobs.stop()
    return watch(running) if running else Response(status_code=204)


def watch(record: JobRecord) -> Response:
    """Lead to a job's page."""
    return Response(status_code=204, headers={"hx-redirect": f"/jobs?job={record.job_id}"})


def _plan(desk: Desk, job: str, *, rehearsal: bool) -> JobPlan:
    if job == "classify":
        return classify_plan(desk.config, rehearsal=rehearsal)
    if job != "backfill":
        raise InputError("the desk starts no such job")
    draft = desk.draft.read(desk.taxonomy) if desk.draft else None
    if draft is None or draft.saved is None or not draft.is_saved:
        raise InputError("write the new taxonomy down first")
    saved = draft.saved
    return backfill_plan(
        desk.config, saved.taxonomy, saved.examples, saved.digest, rehearsal=rehearsal
    )


def _is_here(desk: Desk, record: JobRecord) -> bool:
    """Say whether the job's run lies among the desk's own."""
    run = record.told.get("run")
    return bool(record.run_id) and run == join(absolute(desk.config.runs), record.run_id or "")
