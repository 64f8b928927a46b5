"""What people have said of the items of a version, in memory, and what it makes of their labels."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from lib.labels.annotations import STANDING, Answer
from lib.labels.decisions import Decision

Row = dict[str, Any]


class Said(NamedTuple):
    """The newest answer about one image, as annotations have it."""

    at: datetime
    annotation_id: str
    answer: str
    category_id: str | None
    by: str
    why: str | None

    @property
    def stands(self) -> bool:
        """Whether it says what the item is."""
        return self.answer in STANDING


class AllSaid:
    """The newest answer about each image of each item."""

    def __init__(self) -> None:
        """Know of none."""
        self._said: dict[str, dict[str, Said]] = {}  # by item and image
        self._known: set[str] = set()
        self._day = date.min
        self._today: dict[tuple[str, str], Said] = {}  # of this day, by item and image

    def knows(self, annotation_id: str) -> bool:
        """Say whether an annotation was taken in."""
        return annotation_id in self._known

    def take(self, annotations: Iterable[Row]) -> None:
        """Take annotations in; what is older than another one of its image changes nothing."""
        today = datetime.now().astimezone().date()
        if today != self._day:
            self._day, self._today = today, {}
        for row in annotations:
            said = Said(**{each: row[each] for each in Said._fields})
            said = said._replace(at=said.at.astimezone())
            images, image = self._said.setdefault(row["item_id"], {}), image_of(row)
            if image not in images or said[:2] > images[image][:2]:
                images[image] = said
                self._today.pop((row["item_id"], image), None)
                if said.at.date() == today:
                    self._today[row["item_id"], image] = said
            self._known.add(said.annotation_id)

    def of(self, label: Row) -> Said | None:
        """Return what was said of the image that a label is of."""
        images = self._said.get(label["item_id"])
        return images.get(image_of(label)) if images else None

    def of_today(self) -> list[Said]:
        """Return the newest answers of images that were given on this day, as it is here."""
        today = datetime.now().astimezone().date()
        return [said for said in list(self._today.values()) if said.at.date() == today]

    def stands(self, item_id: str) -> bool:
        """Say whether an answer about an item stands, of whichever image."""
        return any(said.stands for said in self._said.get(item_id, {}).values())


def image_of(row: Mapping[str, Any]) -> str:
    """Return what tells an item's image, in a label or an annotation, from an earlier one."""
    return str(row["uri"] if row["etag"] is None else row["etag"])


def shown(label: Row, said: Said | None, paths: Mapping[str, str]) -> Row:
    """Return what a person sees of an item: its label, or an answer in its place.

    Args:
        label: its row.
        said: of its image, the newest answer; None without one.
        paths: of the taxonomy's categories, by id.

    Returns:
        The columns of the label, `model_category_id` and `model_decision` of it, and `answer`,
        `annotation_id`, `by`, `at` and `why`, None where no answer is shown.
    """
    kept = label["decision"] == Decision.PERSON
    if said and said.answer == Answer.WITHDRAWN and not kept:
        said = None  # it is again as the model said
    row = label | {
        "model_category_id": label["category_id"],
        "model_decision": label["decision"],
        "answer": said and said.answer,
        "annotation_id": said and said.annotation_id,
        "by": said and said.by,
        "at": said and said.at,
        "why": said and said.why,
    }
    if said and said.stands:
        path = paths.get(said.category_id) if said.category_id else None
        row |= {"category_id": said.category_id, "category_path": path}
        row["decision"] = str(Decision.PERSON)
    elif said and (said.answer == Answer.SPLIT or kept):
        row["decision"] = str(Decision.REVIEW)
    return row
