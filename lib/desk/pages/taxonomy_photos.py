"""Splitting a category, and adding one, by photos that are clicked."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from lib.desk.label_rows import Row
from lib.desk.pages.taxonomy import draft_file, free_id
from lib.desk.refused import refused
from lib.desk.render import desk_of, page
from lib.desk.state import Desk
from lib.errors import InputError
from lib.taxonomy.edited import Edited
from lib.taxonomy.editing import edited
from lib.taxonomy.edits import LEAST_EXAMPLES, Add, Edit, Part, Split

router = APIRouter()
PAGE = 60
ANY, UNSURE = "", "?"  # where photos are from, beside categories


class PickForm(BaseModel):
    """What was picked.

    Attributes:
        revision: of the draft that was seen.
        part: names of new categories.
        example: `NUMBER:ITEM`, of a new category and an item of it.
    """

    revision: int
    part: list[str] = Field(min_length=1)
    example: list[str] = Field(default=[])


class SplitForm(PickForm):
    """A category, and whether its parts are in its place, `here`, or `below` it."""

    category: str
    place: str = "here"


class AddForm(PickForm):
    """A new category, and the group above it; empty is the top."""

    parent: str = ""


@router.get("/taxonomy/split")
def split(request: Request, category: str) -> HTMLResponse:
    """Let a person pick photos for each part of a category."""
    found = _found(desk_of(request))
    if category not in found.categories:
        raise InputError("there is no such category any more; go back to the tree")
    return _pick(request, found, category)


@router.get("/taxonomy/add")
def add(request: Request) -> HTMLResponse:
    """Let a person pick photos for a new category."""
    return _pick(request, _found(desk_of(request)), None)


@router.get("/taxonomy/photos")
def photos(
    request: Request,
    of: str = ANY,
    title: str = "",
    first: Annotated[int, Query(ge=0)] = 0,
) -> HTMLResponse:
    """Show a sheet of photos to pick from.

    Args:
        request: of the page.
        of: a category, or `?` for what waits for a person; empty for all.
        title: part of the title or of the item id.
        first: how many photos come before.
    """
    rows = _photos(desk_of(request), of, title.strip(), first)
    values = {"rows": rows[:PAGE], "more": len(rows) > PAGE, "of": of, "title": title}
    return page(request, "taxonomy_photos.html.j2", {**values, "first": first, "size": PAGE})


@router.post("/taxonomy/split")
def take_split(request: Request, form: Annotated[SplitForm, Form()]) -> Response:
    """Take a split into the draft."""
    picked = _picked(form.example)

    def made(found: Edited) -> Edit:
        parts: list[Part] = []
        for number, name in enumerate(form.part):
            category_id = free_id(found, name, [each.category_id for each in parts])
            items = tuple(picked.get(number, ()))
            parts.append(Part(category_id=category_id, name=name.strip(), examples=items))
        return Split(category_id=form.category, parts=tuple(parts), below=form.place == "below")

    return _taken(request, form.revision, made)


@router.post("/taxonomy/add")
def take_add(request: Request, form: Annotated[AddForm, Form()]) -> Response:
    """Take a new category into the draft."""
    picked = _picked(form.example)

    def made(found: Edited) -> Edit:
        return Add(
            category_id=free_id(found, form.part[0]),
            name=form.part[0].strip(),
            parent=form.parent or None,
            examples=tuple(picked.get(0, ())),
        )

    return _taken(request, form.revision, made)


def _taken(request: Request, revision: int, made: Callable[[Edited], Edit]) -> Response:
    desk = desk_of(request)
    try:
        draft_file(desk).add(desk.taxonomy, revision, made, request.state.user)
    except InputError as error:
        return refused(request, error)
    return Response(status_code=204, headers={"hx-redirect": "/taxonomy"})


def _found(desk: Desk) -> Edited:
    draft = draft_file(desk).read(desk.taxonomy)
    if draft.base_digest != desk.taxonomy.digest:
        raise InputError("there is a draft of another version of the taxonomy; throw it away first")
    return edited(desk.taxonomy, draft.edits)


def _pick(request: Request, found: Edited, category: str | None) -> HTMLResponse:
    desk = desk_of(request)
    # what a category was before the draft: that is what items have
    olds = [old for old, news in found.becomes.items() if category in news]
    values = {
        "draft": draft_file(desk).read(desk.taxonomy),
        "found": found,
        "category": found.categories[category] if category is not None else None,
        "base": desk.taxonomy,
        "of": olds[0] if olds else UNSURE if desk.table.counts()["review"] else ANY,
        "least": LEAST_EXAMPLES,
    }
    return page(request, "taxonomy_pick.html.j2", values)


def _photos(desk: Desk, of: str, title: str, first: int) -> list[Row]:
    chosen = {ANY: "true", UNSURE: "decision = 'review'"}.get(of, "category_id = $of")
    query = f"""
        SELECT item_id, name, category_path FROM shown
        WHERE decision <> 'error' AND {chosen}
            AND ($title = '' OR contains(lower(coalesce(name, '')), $title)
                OR contains(lower(item_id), $title))
        ORDER BY confidence DESC NULLS LAST, item_id LIMIT {PAGE + 1} OFFSET {first:d}"""  # noqa: S608  # our own words
    values = {"title": title.lower()} | ({"of": of} if of not in {ANY, UNSURE} else {})
    return desk.table.rows(query, values)


def _picked(examples: list[str]) -> dict[int, list[str]]:
    """Read what was picked, by the number of its part."""
    found: dict[int, list[str]] = {}
    for each in examples:
        number, colon, item = each.partition(":")
        if colon and number.isdecimal() and item:
            found.setdefault(int(number), []).append(item)
    return found
