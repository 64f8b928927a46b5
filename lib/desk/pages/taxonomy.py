"""The taxonomy's page: the tree, edited in a draft, what the draft would do, and its file."""

from collections.abc import Callable, Collection
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from lib.desk.changes import changes_of, counts_in, counts_of
from lib.desk.refused import refused
from lib.desk.render import desk_of, page
from lib.desk.state import Desk
from lib.desk.taxonomy_draft import Draft, DraftFile
from lib.errors import InputError
from lib.taxonomy.edited import Edited, finished
from lib.taxonomy.editing import described, edited
from lib.taxonomy.edits import Edit, Group, Merge, Move, Remove, Rename, new_id
from lib.taxonomy.migration import migrate

router = APIRouter()
Text = Annotated[str, Form()]
Number = Annotated[int, Form()]
TOP = ""  # what a form says for the top of the tree


@router.get("/taxonomy")
def taxonomy(request: Request) -> HTMLResponse:
    """Show the tree and the draft."""
    return page(request, "taxonomy.html.j2", _shown(desk_of(request)))


@router.get("/taxonomy/change")
def change(request: Request, category: str) -> HTMLResponse:
    """Show what can be done with a category."""
    desk = desk_of(request)
    draft, found = _drafted(desk)
    if category not in found.categories:
        raise InputError("there is no such category any more; reload the page")
    below = {each for each in found.categories if category in found.above(each)}
    values = {
        "draft": draft,
        "found": found,
        "category": found.categories[category],
        "is_group": category in found.groups,
        "is_new": category not in found.becomes and category not in found.groups,
        "places": [each for each in found.groups_in_order if each.category_id not in below],
        "others": [each for each in found.leaves_in_order if each.category_id in found.becomes],
        "items": counts_in(found, counts_of(desk.table))[category],
        "path": found.path,
    }
    return page(request, "taxonomy_change.html.j2", values)


@router.post("/taxonomy/rename")
def rename(request: Request, revision: Number, category: Text, name: Text) -> HTMLResponse:
    """Give a category another name."""
    return _added(request, revision, lambda _: Rename(category_id=category, name=name.strip()))


@router.post("/taxonomy/move")
def move(request: Request, revision: Number, category: Text, parent: Text = TOP) -> HTMLResponse:
    """Put a category into another group."""
    return _added(request, revision, lambda _: Move(category_id=category, parent=parent or None))


@router.post("/taxonomy/merge")
def merge(request: Request, revision: Number, category: Text, into: Text) -> HTMLResponse:
    """Let a category become another one."""
    return _added(request, revision, lambda _: Merge(category_ids=(category,), into=into))


@router.post("/taxonomy/remove")
def remove(request: Request, revision: Number, category: Text) -> HTMLResponse:
    """Take a category out of the tree."""
    return _added(request, revision, lambda _: Remove(category_id=category))


@router.post("/taxonomy/group")
def group(request: Request, revision: Number, name: Text, parent: Text = TOP) -> HTMLResponse:
    """Make a new group."""

    def made(found: Edited) -> Edit:
        return Group(category_id=free_id(found, name), name=name.strip(), parent=parent or None)

    return _added(request, revision, made)


@router.post("/taxonomy/take-back")
def take_back(request: Request, revision: Number, place: Number) -> HTMLResponse:
    """Take one change of the draft back."""
    desk = desk_of(request)
    return _answered(request, lambda: draft_file(desk).take_back(desk.taxonomy, revision, place))


@router.post("/taxonomy/throw-away")
def throw_away(request: Request) -> HTMLResponse:
    """Forget the draft."""
    return _answered(request, draft_file(desk_of(request)).throw_away)


@router.get("/taxonomy/changes", response_model=None)
def changes(request: Request) -> Response:
    """Show what the draft does to the items, and how it comes to them."""
    desk = desk_of(request)
    draft, found = _drafted(desk)
    if not draft.noted:
        return RedirectResponse("/taxonomy", 303)
    new = finished(found, draft.saved.version if draft.saved else "the next one")
    tried = None
    if draft.saved and draft.is_saved:
        tried = desk.jobs.tried("backfill", draft.saved.digest)
    values = {
        "draft": draft,
        "changes": changes_of(desk.table, migrate([desk.taxonomy, new]), found),
        "lines": described(desk.taxonomy, draft.edits),
        "tried": tried,
        "running": desk.jobs.running,
        "may_move": desk.config.jobs.backfill is not None,
    }
    return page(request, "taxonomy_changes.html.j2", values)


@router.post("/taxonomy/save")
def save(request: Request, revision: Number) -> Response:
    """Write the draft as a new version of the taxonomy."""
    desk = desk_of(request)
    taken = {each.made.taxonomy_version for each in desk.labels.history()}
    try:
        draft_file(desk).save(desk.taxonomy, revision, taken | {desk.taxonomy.version})
    except InputError as error:
        return refused(request, error)
    return Response(status_code=204, headers={"hx-redirect": "/taxonomy/changes"})


def draft_file(desk: Desk) -> DraftFile:
    """Return the draft's file.

    Raises:
        InputError: this desk edits no taxonomy.
    """
    if desk.draft is None:
        raise InputError(
            "this desk edits no taxonomy; whoever runs it names the file as 'taxonomy' in the "
            "desk's run file"
        )
    return desk.draft


def free_id(found: Edited, name: str, also: Collection[str] = ()) -> str:
    """Return an id for a new category that no other has, before or now, nor any of `also`."""
    return new_id(name, {*found.categories, *found.base.by_id, *also})


def _drafted(desk: Desk) -> tuple[Draft, Edited]:
    """Return the draft, and the tree with its edits; without them where it is of another tree."""
    base = desk.taxonomy
    if desk.draft is None:
        nothing = Draft(base_version=base.version, base_digest=base.digest)
        return nothing, Edited.of(base)
    draft = desk.draft.read(base)
    if draft.base_digest != base.digest:
        return draft, Edited.of(base)
    return draft, edited(base, draft.edits)


def _shown(desk: Desk) -> dict[str, Any]:
    draft, found = _drafted(desk)
    is_of_another = draft.base_digest != desk.taxonomy.digest
    lines = [] if is_of_another else described(desk.taxonomy, draft.edits)
    return {
        "draft": draft,
        "found": found,
        "base": desk.taxonomy,
        "counts": counts_in(found, counts_of(desk.table)),
        "lines": list(zip(lines, draft.noted, strict=False)),
        "is_of_another": is_of_another,
        "problems": found.problems if draft.noted else [],
        "running": desk.jobs.running,
        "edits_none": desk.draft is None,
    }


def _added(request: Request, revision: int, make: Callable[[Edited], Edit]) -> HTMLResponse:
    desk = desk_of(request)
    return _answered(
        request,
        lambda: draft_file(desk).add(desk.taxonomy, revision, make, request.state.user),
    )


def _answered(request: Request, act: Callable[[], object]) -> HTMLResponse:
    """Do something, and show the tree as it is then; what is refused is said where it was asked."""
    try:
        act()
    except InputError as error:
        return refused(request, error)
    return page(request, "taxonomy_editor.html.j2", _shown(desk_of(request)))
