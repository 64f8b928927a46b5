"""The nights' page: versions of the table, runs and their reports, and what a person may do."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from lib.desk.job_plans import publish_plan
from lib.desk.pages.jobs import watch
from lib.desk.refused import refused
from lib.desk.render import desk_of, page
from lib.desk.rollback import plan_rollback
from lib.desk.run_view import PUBLISHING, gates_of, is_of_table, run_below
from lib.errors import InputError, ReshelveError
from lib.labels.history import newest_made
from lib.runs import files
from lib.runs.state import state_of, states_below

router = APIRouter()
VERSIONS, RUNS, JOBS = 20, 20, 10  # of a page
Text = Annotated[str, Form()]
# a report has styles and pictures of its own, and nothing that acts
REPORT_POLICY = (
    "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/runs")
def runs(request: Request, first: Annotated[int, Query(ge=0)] = 0) -> HTMLResponse:
    """Show the versions of the table; the runs come after."""
    desk = desk_of(request)
    found = desk.labels.history()
    newest = newest_made(found)
    values = {
        "versions": found[first : first + VERSIONS],
        "newest": found[0].number if found else None,
        "first": first,
        "size": VERSIONS,
        "more": len(found) > first + VERSIONS,
        "bundle": newest.made.bundle if newest else None,
        "running": desk.jobs.running,
        "tried": desk.jobs.tried("classify", ""),
        "jobs": desk.jobs.last(JOBS),
        "may_classify": desk.config.jobs.classify is not None,
    }
    return page(request, "runs.html.j2", values)


@router.get("/runs/list")
def run_list(request: Request) -> HTMLResponse:
    """Show how the last runs stand."""
    desk = desk_of(request)
    values = {"states": states_below(desk.config.runs, desk.storage, RUNS)}
    return page(request, "runs_list.html.j2", values)


@router.get("/runs/run")
def one_run(request: Request, run: str) -> HTMLResponse:
    """Show a run: how it stands, its gates, and its report."""
    desk = desk_of(request)
    found = run_below(desk.config.runs, run, desk.storage)
    outcome = found.outcome or {}
    state = state_of(found)
    publishes = found.record.job in PUBLISHING and is_of_table(found, desk.config.labels_table)
    gates = gates_of(found)
    values: dict[str, Any] = {
        "state": state,
        "gates": gates,
        "refusing": [each for each in gates if each.refuses],
        "accepted": outcome.get("accepted") or [],
        "has_report": found.exists(files.REPORT),
        "may_accept": publishes and state.state == "refused",
        "may_publish": publishes and state.state == "finished",
        "running": desk.jobs.running,
        "table_rows": sum(desk.table.counts().values()),
    }
    return page(request, "run.html.j2", values)


@router.get("/runs/report")
def report(request: Request, run: str) -> Response:
    """Return a run's report, which acts on nothing."""
    desk = desk_of(request)
    found = run_below(desk.config.runs, run, desk.storage)
    if not found.exists(files.REPORT):
        raise InputError("this run has no report")
    headers = {"content-security-policy": REPORT_POLICY}
    return HTMLResponse(found.read(files.REPORT), headers=headers)


@router.post("/runs/publish")
def publish(
    request: Request,
    run: Text,
    reason: Text = "",
    gate: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Publish a run that has finished, or that its gates have refused, with a reason."""
    desk, user = desk_of(request), request.state.user
    try:
        found = run_below(desk.config.runs, run, desk.storage)
        if not is_of_table(found, desk.config.labels_table):
            raise InputError("this run is of another table than this desk's")
        refusing = [each.key for each in gates_of(found) if each.refuses]
        if refusing and set(gate or ()) != set(refusing):
            raise InputError("say of each failed check that it is passed over")
        if refusing and not reason.strip():
            raise InputError("say why; it is kept beside the table's version")
        # the process has the name of whoever runs the desk
        why = f"{' '.join(reason.split())} ({user}, at the desk)"
        plan = publish_plan(desk.config, found.uri, refusing, why)
        record = desk.jobs.start(plan, user)
    except ReshelveError as error:
        return refused(request, error)
    return watch(record)


@router.get("/runs/rollback")
def rollback(request: Request, version: int) -> HTMLResponse:
    """Say what bringing a version back would do."""
    desk = desk_of(request)
    try:
        planned = plan_rollback(desk.labels, version)
    except ReshelveError as error:
        return page(request, "refused.html.j2", {"sentence": str(error).rstrip(".")})
    taxonomy = planned.version.made.taxonomy_version
    others = bool(taxonomy) and taxonomy != desk.taxonomy.version
    return page(request, "rollback.html.j2", {"plan": planned, "other_taxonomy": others})


@router.post("/runs/rollback")
def take_back(
    request: Request, version: Annotated[int, Form()], now: Annotated[int, Form()]
) -> Response:
    """Bring an earlier version of the table back."""
    desk = desk_of(request)
    try:
        if desk.labels.version() != now:
            raise InputError("the table has changed since you looked; look at it again")
        desk.labels.roll_back(version, request.state.user)
        desk.look_again()
    except ReshelveError as error:
        return refused(request, error)
    return Response(status_code=204, headers={"hx-redirect": "/runs"})
