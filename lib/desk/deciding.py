"""What a person sends from a page: which items are what, in words or in ids."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.desk.answers import Given
from lib.desk.local_table import Row
from lib.desk.state import Desk
from lib.errors import InputError
from lib.labels.annotations import Answer
from lib.taxonomy.taxonomy import Taxonomy

AS_LABELLED = "right"  # each item is what it is labelled
MOST_ITEMS = 1_000
_KEY = re.compile(r"[0-9A-Za-z-]{8,64}")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was decided, for the person who did."""

    item_ids: list[str]
    sentence: str


def decide(desk: Desk, user: str, item_ids: Sequence[str], form: Mapping[str, str]) -> Told:
    """Take one decision on some items.

    Args:
        desk: whose table has them.
        user: who decides.
        item_ids: that were chosen.
        form: `answer`, a value of `Answer` or `AS_LABELLED`; `category`, its id, path or name; and
            `key`, made by the page.

    Raises:
        InputError: nothing was chosen, or it is no answer that these items can have.
        StoreError: the answer cannot be written.
    """
    said, key = form.get("answer", ""), form.get("key", "")
    if not _KEY.fullmatch(key):
        raise InputError("this page is no longer good; reload it and try again")
    if not item_ids:
        raise InputError("choose the items first")
    if len(item_ids) > MOST_ITEMS:
        raise InputError(
            f"{len(item_ids):,} items are too many at once; {MOST_ITEMS:,} is the most"
        )
    if said not in (Answer.CATEGORY, Answer.REJECTED, Answer.WITHDRAWN, AS_LABELLED):
        raise InputError(f"'{said}' is no answer; reload the page and try again")
    taxonomy = desk.taxonomy
    category = named(taxonomy, form.get("category", "")) if said == Answer.CATEGORY else None
    items = desk.table.items(list(dict.fromkeys(item_ids)))
    if not items:
        raise InputError("none of these items is in the table any more; reload the page")
    # a page sends the same key with another answer where it never heard of the first one
    again = hashlib.sha256(f"{key} {said} {category}".encode()).hexdigest()[:24]
    annotations = [
        Given(
            answer=Answer.CATEGORY if said == AS_LABELLED else Answer(said),
            category_id=_labelled(item, taxonomy) if said == AS_LABELLED else category,
            by=user,
            why="browse",
            key=again,
        ).of(item, taxonomy)
        for item in items
    ]
    desk.answers.give(annotations)
    what = taxonomy.by_id[category].name if category else _WORDS[said]
    these = "1 item is" if len(items) == 1 else f"{len(items):,} items are"
    return Told(item_ids=[item["item_id"] for item in items], sentence=f"{these} {what}")


_WORDS = {
    AS_LABELLED: "right as labelled",
    Answer.REJECTED: "in no category of the taxonomy",
    Answer.WITHDRAWN: "as before: the answer is taken back",
}


def named(taxonomy: Taxonomy, text: str) -> str:
    """Return the id of the category without others below it that a text names.

    Args:
        taxonomy: of the table.
        text: its id, its path or its name, as a person wrote it.

    Raises:
        InputError: there is no such category, or several.
    """
    text = text.strip()
    if not text:
        raise InputError("say which category")
    if text in taxonomy.leaves:
        return text
    for of in (taxonomy.path, lambda each: taxonomy.by_id[each].name):
        found = [each for each in taxonomy.leaves if of(each).lower() == text.lower()]
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(taxonomy.path(each) for each in found)
            raise InputError(
                f"'{text}' is the name of {len(found)} categories ({paths}); say which"
            )
    inner = text in taxonomy.by_id or any(
        text.lower() in (taxonomy.path(each).lower(), taxonomy.by_id[each].name.lower())
        for each in taxonomy.by_id
    )
    if inner:
        raise InputError(f"'{text}' has categories below it; choose one of these")
    raise InputError(f"'{text}': the taxonomy has no such category")


def _labelled(item: Row, taxonomy: Taxonomy) -> str:
    if item["category_id"] not in taxonomy.leaves:
        raise InputError(
            f"{item['item_id']} has no category that could be right; choose one for it"
        )
    return str(item["category_id"])
