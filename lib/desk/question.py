"""One question to a person: what is on a photo, what the model thinks, and why it is asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.labels.annotations import STANDING, Answer
from lib.taxonomy.taxonomy import Taxonomy

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A category that the model thinks of, with the names above it."""

    category_id: str
    name: str
    above: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """What somebody has said of an item before, in words."""

    by: str
    at: datetime
    said: str
    of_this_image: bool


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a page shows of an item.

    Nothing of it tells an accepted item from one for review: an audit is answered blind. So it has
    no probabilities, which would, and no words that follow from them.

    Attributes:
        title: its name, or its id where it has none.
        best: the likeliest categories, the best first.
        why: it is asked.
        history: of answers, the newest first.
    """

    item_id: str
    title: str
    best: list[Suggestion]
    why: str
    history: list[Told]

    @property
    def best_json(self) -> str:
        """The best categories for a script: id and name of each."""
        return json.dumps([[each.category_id, each.name] for each in self.best])


def question_of(item: Row, annotations: Sequence[Row], taxonomy: Taxonomy) -> Question:
    """Make the question about an item.

    Args:
        item: as the desk shows it.
        annotations: all about it, the newest first.
        taxonomy: of the table.
    """
    best = [
        Suggestion(
            category_id=each["category_id"],
            name=taxonomy.by_id[each["category_id"]].name,
            above=_above(each["category_id"], taxonomy),
        )
        for each in item["top_k"] or ()
        if each["category_id"] in taxonomy.leaves_below and each["probability"] is not None
    ]
    history = [
        Told(
            by=each["by"],
            at=each["at"],
            said=words_of(each, taxonomy),
            of_this_image=_image(each) == _image(item),
        )
        for each in annotations
    ]
    return Question(
        item_id=item["item_id"],
        title=item["name"] or item["item_id"],
        best=best,
        why=_why(item, annotations, best, taxonomy),
        history=history,
    )


def words_of(annotation: Row, taxonomy: Taxonomy) -> str:
    """Return what an annotation says, in a few words."""
    if annotation["answer"] == Answer.REJECTED:
        return "not in the taxonomy"
    if annotation["answer"] == Answer.WITHDRAWN:
        return "took the answer back"
    category = annotation["category_id"]
    known = taxonomy.by_id.get(category)
    name = known.name if known else category or "its category"
    return f"{name}, which was split" if annotation["answer"] == Answer.SPLIT else name


def _why(
    item: Row, annotations: Sequence[Row], best: Sequence[Suggestion], taxonomy: Taxonomy
) -> str:
    """Say why an item is asked about, from nothing that an accepted one would say otherwise."""
    newest = annotations[0] if annotations else None
    if item["answer"] == Answer.SPLIT:
        was = next((each for each in annotations if each["answer"] in STANDING), None)
        said = f"{was['by']} said {words_of(was, taxonomy)}, which" if was else "Its category"
        return f"{said} was split. Which part is it?"
    if newest and newest["answer"] in STANDING and _image(newest) != _image(item):
        return f"Its image changed since {newest['by']} said {words_of(newest, taxonomy)}."
    if item["error"]:
        return f"It could not be classified: {item['error_detail'] or item['error']}"
    if not best:
        return "The model has no suggestion."
    second = f", or else {best[1].name}" if len(best) > 1 else ""
    return f"The model would say {best[0].name}{second}. What is it?"


def _image(row: Row) -> str:
    return str(row["etag"] or row["uri"])


def _above(category_id: str, taxonomy: Taxonomy) -> str:
    names = [taxonomy.by_id[each].name for each in taxonomy.ancestors(category_id)]
    return " > ".join(reversed(names))
