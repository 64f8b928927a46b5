"""A person's decision on items: checked, written, and what became of it; and taking it back."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lib.desk.answers import Given
from lib.desk.finding import named
from lib.desk.label_rows import Row
from lib.desk.question import words_of
from lib.desk.state import Desk
from lib.errors import InputError
from lib.labels.annotations import Answer
from lib.review.audit import AUDIT
from lib.taxonomy.taxonomy import Taxonomy

QUEUE, BROWSE = "queue", "browse"  # values of `why`
AS_LABELLED = "right"  # each item is what it is labelled
EACH_FIRST = "first"  # each item is what the model would say first
MOST_ITEMS = 1_000
_ANSWERS = (Answer.CATEGORY, Answer.REJECTED, Answer.WITHDRAWN, AS_LABELLED, EACH_FIRST)
_KEY = re.compile(r"[0-9a-f-]{8,64}")
_WORDS = {
    AS_LABELLED: "right as labelled",
    EACH_FIRST: "what the model would say first",
    Answer.REJECTED: "in no category of the taxonomy",
    Answer.WITHDRAWN: "as before: the answer is taken back",
}


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who answers, in which session of which browser."""

    user: str
    session: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One decision as a page sends it.

    Attributes:
        key: made by the page, the same in each try to send it.
        answer: a value of `Answer`, `AS_LABELLED` or `EACH_FIRST`.
        category_id: of the answer `category`.
        item_ids: that it is about.
    """

    key: str
    answer: str
    category_id: str | None
    item_ids: Sequence[str]


@dataclass(kw_only=True)
class Outcome:
    """What became of a decision: items whose answers are written, and why others' are not."""

    confirmed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def decide_in_queue(desk: Desk, asker: Asker, decision: Decision) -> Outcome:
    """Write a decision on items of the queue; it is confirmed once this returns.

    What somebody else has answered meanwhile, or has open, is left to them.

    Raises:
        InputError: it is no answer, or no category that items can have; nothing is written.
        StoreError: the answers cannot be written.
    """
    items, outcome = _checked(desk, decision)
    free = set(desk.reservations.take(items, asker.session, len(items)) if items else ())
    audited = set(desk.queue.audited(desk.table))
    whys: dict[str, str] = {}
    for item_id, item in items.items():
        if item["decision"] == "person":
            said = words_of(item, desk.taxonomy)
            outcome.refused[item_id] = f"{item['by'] or 'somebody'} said {said} meanwhile"
        elif item_id not in free:
            outcome.refused[item_id] = "somebody else has it open"
        else:
            whys[item_id] = AUDIT if item_id in audited else QUEUE
    _write(desk, asker.user, decision, [items[each] for each in whys], whys)
    outcome.confirmed += whys
    desk.reservations.release(outcome.confirmed, asker.session)
    return outcome


def decide(
    desk: Desk, user: str, item_ids: Sequence[str], form: Mapping[str, str]
) -> tuple[Outcome, str]:
    """Write a decision on items that somebody has looked for, whatever was said of them before.

    Args:
        desk: whose table has them.
        user: who decides.
        item_ids: that were chosen.
        form: `answer`; `category`, its id, path or name; and `key`, made by the page.

    Returns:
        What became of it, and a sentence about it for the person.

    Raises:
        InputError, StoreError: as `decide_in_queue`; also where the table has none of them.
    """
    answer, key, taxonomy = form.get("answer", ""), form.get("key", ""), desk.taxonomy
    _check_keys(key)
    category = named(taxonomy, form.get("category", "")) if answer == Answer.CATEGORY else None
    # a page sends the same key with another answer where it never heard of the first one
    again = hashlib.sha256(f"{key} {answer} {category}".encode()).hexdigest()[:24]
    decision = Decision(key=again, answer=answer, category_id=category, item_ids=item_ids)
    items, outcome = _checked(desk, decision)
    if not items and not outcome.confirmed:
        raise InputError("none of these items is in the table any more; reload the page")
    _write(desk, user, decision, items.values(), dict.fromkeys(items, BROWSE))
    outcome.confirmed += items
    what = taxonomy.by_id[category].name if category else _WORDS[answer]
    count = len(outcome.confirmed)
    return outcome, f"1 item is {what}" if count == 1 else f"{count:,} items are {what}"


def take_back(desk: Desk, asker: Asker, key_of_decision: str, key: str) -> list[str]:
    """Take a decision back, and return its items, which the browser has open again.

    Args:
        desk: whose table has them.
        asker: who took the decision.
        key_of_decision: that it was sent with.
        key: of this request, the same in each try to send it.

    Raises:
        InputError: none of its answers stands any more.
        StoreError: it cannot be written.
    """
    _check_keys(key_of_decision, key)
    taken = """SELECT item_id FROM answers WHERE annotation_id = concat($key, '-', item_id)
        AND "by" = $user AND stands = $stands"""
    values = {"user": asker.user}
    standing = desk.table.rows(taken, {**values, "key": key_of_decision, "stands": True})
    before = desk.table.rows(taken, {**values, "key": key, "stands": False})
    if not standing and not before:
        raise InputError("there is no answer of yours here that could be taken back")
    items = desk.table.items([row["item_id"] for row in standing])
    back = Decision(key=key, answer=Answer.WITHDRAWN, category_id=None, item_ids=())
    _write(desk, asker.user, back, items, {row["item_id"]: row["why"] or QUEUE for row in items})
    found = [row["item_id"] for row in [*standing, *before]]
    desk.queue.show_again(asker.session, found)
    return desk.reservations.take(found, asker.session, len(found))


def _checked(desk: Desk, decision: Decision) -> tuple[dict[str, Row], Outcome]:
    """Return the items that are still to be written, and what became of the others."""
    _check_keys(decision.key)
    count = len(decision.item_ids)
    if not count:
        raise InputError("choose the items first")
    if count > MOST_ITEMS:
        raise InputError(f"{count:,} items are too many at once; {MOST_ITEMS:,} is the most")
    if decision.answer not in _ANSWERS:
        raise InputError(f"'{decision.answer}' is no answer; reload the page and try again")
    item_ids = list(dict.fromkeys(decision.item_ids))
    items = {item["item_id"]: item for item in desk.table.items(item_ids)}
    lost = [each for each in item_ids if each not in items]
    outcome = Outcome(refused=dict.fromkeys(lost, "it is no longer in the table"))
    for item_id in [*items]:
        if items[item_id]["annotation_id"] == f"{decision.key}-{item_id}":
            outcome.confirmed.append(item_id)  # sent again, since the first answer got lost
            del items[item_id]
    return items, outcome


def _write(
    desk: Desk, user: str, decision: Decision, items: Iterable[Row], whys: Mapping[str, str]
) -> None:
    taxonomy = desk.taxonomy
    given = [
        _given(item, user, decision, whys[item["item_id"]], taxonomy).of(item, taxonomy)
        for item in items
    ]
    if given:
        desk.answers.give(given)


def _given(item: Row, user: str, decision: Decision, why: str, taxonomy: Taxonomy) -> Given:
    answer, category_id = decision.answer, decision.category_id
    if answer in (AS_LABELLED, EACH_FIRST):
        best = item["top_k"] or [{"category_id": None}]
        category_id = item["category_id"] if answer == AS_LABELLED else best[0]["category_id"]
        if category_id not in taxonomy.leaves:
            raise InputError(
                f"{item['item_id']} has no category that could be right; choose one for it"
            )
        answer = Answer.CATEGORY
    said = Answer(answer)
    return Given(answer=said, category_id=category_id, by=user, why=why, key=decision.key)


def _check_keys(*keys: str) -> None:
    if not all(_KEY.fullmatch(key) for key in keys):
        raise InputError("this page is no longer good; reload it and try again")
