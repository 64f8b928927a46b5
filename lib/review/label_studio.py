"""Label Studio: tasks with predictions, the labelling config, and its export read back."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import pyarrow as pa

from lib.errors import InputError
from lib.review.said import REJECTED, Read, Said
from lib.taxonomy.taxonomy import Category, Taxonomy

CATEGORY, IMAGE = "category", "image"  # names of the controls, and of what they are about
TREE, FLAT = "taxonomy", "choices"  # kinds of a control, and of its results
MOST_SHOWN = 30  # categories of a flat taxonomy; more are a list that is searched
SKIPPED, NO_ANSWER = "skipped", "no answer"
Json = dict[str, Any]


def is_tree(taxonomy: Taxonomy) -> bool:
    """Say whether the control is a tree, or a plain choice since no category has others below."""
    return len(taxonomy.leaves) < len(taxonomy.categories)


def labelling_config(taxonomy: Taxonomy) -> str:
    """Write the labelling config of a project: the image, its title, and the categories.

    Results hold ids, and people see names.
    """
    below: dict[str | None, list[Category]] = {}
    for category in taxonomy.categories:
        below.setdefault(category.parent, []).append(category)

    def choices(parent: str | None, depth: int) -> Iterator[str]:
        for each in below.get(parent, []):
            start = f"{'  ' * depth}<Choice value={quoteattr(each.name)}"
            start += f" alias={quoteattr(each.category_id)}"
            if each.category_id in below:
                yield f"{start}>"
                yield from choices(each.category_id, depth + 1)
                yield f"{'  ' * depth}</Choice>"
            else:
                yield f"{start}/>"

    searched = ' layout="select"' if len(taxonomy.leaves) > MOST_SHOWN else ""
    kind, settings = ("Taxonomy", "") if is_tree(taxonomy) else ("Choices", searched)
    lines = [
        "<View>",
        f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true"/>',
        '  <Text name="title" value="$title"/>',
        f'  <{kind} name="{CATEGORY}" toName="{IMAGE}"{settings}>',
        *choices(None, 2),
        f"  </{kind}>",
        f'  <Choices name="{REJECTED}" toName="{IMAGE}">',
        f'    <Choice value="Belongs to no category" alias="{REJECTED}"/>',
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def to_tasks(items: pa.Table, taxonomy: Taxonomy) -> list[Json]:
    """Make tasks of items, each with the label of the table as a prediction.

    Args:
        items: of `LABELS_SCHEMA`, in the order in which they are asked.
        taxonomy: of the table.
    """
    return [
        {
            "data": {
                IMAGE: row["uri"],
                "title": row["name"] or "",
                **{name: row[name] for name in ("item_id", "uri", "etag", "taxonomy_version")},
            },
            "predictions": list(_predicted(row, taxonomy)),
        }
        for row in items.to_pylist()
    ]


def _predicted(row: Json, taxonomy: Taxonomy) -> Iterator[Json]:
    category = row["category_id"]
    if category not in taxonomy.by_id:  # an error has none
        return
    path = [*reversed(taxonomy.ancestors(category)), category]
    kind, value = (TREE, [path]) if is_tree(taxonomy) else (FLAT, path)
    yield {
        "model_version": row["bundle_digest"],
        "score": row["confidence"],
        "result": [
            {
                "id": CATEGORY,
                "from_name": CATEGORY,
                "to_name": IMAGE,
                "type": kind,
                "value": {kind: value},
            }
        ],
    }


def from_export(data: bytes, source: str) -> Read:
    """Read the answers of a project's export in the format JSON.

    Raises:
        InputError: it is no such export.
    """
    try:
        tasks = json.loads(data)
    except (ValueError, RecursionError):
        tasks = None
    whole = isinstance(tasks, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("data"), dict)
        and isinstance(each.get("annotations"), list)
        and all(isinstance(annotation, dict) for annotation in each["annotations"])
        for each in tasks
    )
    if not whole:
        raise InputError(
            f"{source}: expected a list of tasks with their annotations, as Label Studio exports "
            "it in the format JSON (not JSON-MIN)"
        )
    said: list[Said] = []
    without: Counter[str] = Counter()
    for number, task in enumerate(tasks):
        if not isinstance(task["data"].get("item_id"), str):
            raise InputError(
                f"{source}: task {task.get('id', number + 1)} has no item_id in its data; only "
                "tasks that 'reshelve review export' has written can be taken in"
            )
        if not task["annotations"]:
            without[NO_ANSWER] += 1
        for annotation in task["annotations"]:
            answer = _answer_of(annotation)
            if answer is None:
                without[SKIPPED if annotation.get("was_cancelled") else NO_ANSWER] += 1
            else:
                said.append(_said(task["data"], annotation, answer))
    return Read(said, dict(without))


def _answer_of(annotation: Mapping[str, Any]) -> str | None:
    """Return what an annotation says; None where it was skipped, or says nothing."""
    if annotation.get("was_cancelled"):
        return None
    found: dict[str, str] = {}
    results = annotation.get("result")
    for region in results if isinstance(results, list) else ():
        value = region.get("value") if isinstance(region, Mapping) else None
        chosen = (value.get(TREE) or value.get(FLAT)) if isinstance(value, Mapping) else None
        while isinstance(chosen, list) and chosen:
            chosen = chosen[-1] if isinstance(chosen[-1], str) else chosen[0]
        if isinstance(chosen, str):
            found[str(region.get("from_name"))] = chosen  # the last of a path
    # a prediction fills the category in before a person sees it, and stays beside a rejection
    return REJECTED if REJECTED in found else found.get(CATEGORY)


def _said(data: Mapping[str, Any], annotation: Mapping[str, Any], answer: str) -> Said:
    when = annotation.get("updated_at") or annotation.get("created_at")
    return Said(
        item_id=data["item_id"],
        answer=answer,
        uri=_text(data.get("uri")),
        etag=_text(data.get("etag")),
        taxonomy_version=_text(data.get("taxonomy_version")),
        by=_person(annotation.get("completed_by")),
        at=_moment(when),
        key=f"{annotation.get('unique_id') or annotation.get('id')} {when}",
    )


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _person(completed_by: object) -> str | None:
    """Return who completed an annotation: an address, where the export has more than a number."""
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("email") or completed_by.get("id")
    if isinstance(completed_by, int):
        return f"user {completed_by} of Label Studio"
    return str(completed_by) if completed_by else None


def _moment(when: object) -> datetime | None:
    """Read a time; one without a zone is none, since nobody knows when it was."""
    try:
        found = datetime.fromisoformat(str(when))
    except ValueError:
        return None
    return found if found.tzinfo else None
