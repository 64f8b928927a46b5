"""Taking a decision on items of the queue, and taking it back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.desk.answers import Given
from lib.desk.local_table import Row
from lib.desk.question import words_of
from lib.desk.state import Desk
from lib.errors import InputError
from lib.labels.annotations import Answer
from lib.review.audit import AUDIT
from lib.taxonomy.taxonomy import Taxonomy

QUEUE = "queue"  # the value of `why` of what the queue asked about
EACH_FIRST = "first"  # each item is what the model would say first
MOST_ITEMS = 500
_KEY = re.compile(r"[0-9a-f-]{16,64}")


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
        answer: `category`, `rejected` or `EACH_FIRST`.
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


def decide(desk: Desk, asker: Asker, decision: Decision) -> Outcome:
    """Write a decision; it is confirmed once this returns.

    What somebody else has answered meanwhile, or has open, is left to them.

    Raises:
        InputError: it is no answer, or no category that items can have; nothing is written.
        StoreError: the answers cannot be written.
    """
    items = _checked(desk, decision)
    taxonomy, outcome, given = desk.taxonomy, Outcome(), []
    free = set(desk.reservations.take(list(items), asker.session, len(items)) if items else ())
    audited = set(desk.queue.audited(desk.table))
    for item_id in dict.fromkeys(decision.item_ids):
        item = items.get(item_id)
        if item is None:
            outcome.refused[item_id] = "it is no longer in the table"
        elif item["annotation_id"] == f"{decision.key}-{item_id}":
            outcome.confirmed.append(item_id)  # sent again, since the first answer got lost
        elif item["decision"] == "person":
            outcome.refused[item_id] = _meanwhile(item, taxonomy)
        elif item_id not in free:
            outcome.refused[item_id] = "somebody else has it open"
        else:
            why = AUDIT if item_id in audited else QUEUE
            category_id = decision.category_id
            if decision.answer == EACH_FIRST:
                category_id = _first_of(item, taxonomy)
            answer = Answer.REJECTED if decision.answer == Answer.REJECTED else Answer.CATEGORY
            said = Given(
                answer=answer, category_id=category_id, by=asker.user, why=why, key=decision.key
            )
            given.append(said.of(item, taxonomy))
    if given:
        desk.answers.give(given)
    outcome.confirmed += [each["item_id"] for each in given]
    desk.reservations.release(outcome.confirmed, asker.session)
    return outcome


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
    given = [
        Given(answer=Answer.WITHDRAWN, by=asker.user, why=item["why"] or QUEUE, key=key)
        for item in items
    ]
    if given:
        rows = [each.of(item, desk.taxonomy) for each, item in zip(given, items, strict=True)]
        desk.answers.give(rows)
    found = [row["item_id"] for row in [*standing, *before]]
    desk.queue.show_again(asker.session, found)
    return desk.reservations.take(found, asker.session, len(found))


def _checked(desk: Desk, decision: Decision) -> dict[str, Row]:
    """Return the items of a decision that can be written."""
    _check_keys(decision.key)
    if not decision.item_ids:
        raise InputError("no item was chosen")
    if len(decision.item_ids) > MOST_ITEMS:
        raise InputError(
            f"{len(decision.item_ids):,} items are too many at once; {MOST_ITEMS:,} is the most"
        )
    if decision.answer not in (Answer.CATEGORY, Answer.REJECTED, EACH_FIRST):
        raise InputError(f"'{decision.answer}' is no answer; reload the page and try again")
    if decision.answer == Answer.CATEGORY and decision.category_id not in desk.taxonomy.leaves:
        raise InputError(
            f"'{decision.category_id}' is no category that items can have in version "
            f"{desk.taxonomy.version} of the taxonomy; reload the page"
        )
    return {item["item_id"]: item for item in desk.table.items(list(decision.item_ids))}


def _meanwhile(item: Row, taxonomy: Taxonomy) -> str:
    return f"{item['by'] or 'somebody'} said {words_of(item, taxonomy)} meanwhile"


def _check_keys(*keys: str) -> None:
    if not all(_KEY.fullmatch(key) for key in keys):
        raise InputError("this page is no longer good; reload it and try again")


def _first_of(item: Row, taxonomy: Taxonomy) -> str | None:
    first = (item["top_k"] or [{"category_id": None}])[0]["category_id"]
    if first not in taxonomy.leaves:
        raise InputError(f"{item['item_id']} has no suggestion; choose a category for it")
    return str(first)
