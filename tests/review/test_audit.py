"""Audits: the same week asks about the same items, and blind answers give the true precision."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from lib.labels.annotations import Answer
from lib.review.audit import AuditFigures, audit_figures, draw_sample, week_of
from lib.schemas import ANNOTATIONS_SCHEMA
from tests.helpers.catalogs import label_rows

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
WEEK, NEXT = "2026-W48", "2026-W49"
NONE = ANNOTATIONS_SCHEMA.empty_table()


def answers(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ANNOTATIONS_SCHEMA)


def blind(
    item: dict[str, Any],
    said: str | None = "hat",
    **values: Any,  # noqa: ANN401  # whatever an annotation has
) -> dict[str, Any]:
    """Return a blind answer about an item that was accepted as a hat."""
    return {
        "annotation_id": f"{item['item_id']}-{values.get('at', MONDAY)}",
        "item_id": item["item_id"],
        "uri": item["uri"],
        "etag": item["etag"],
        "answer": Answer.CATEGORY if said else Answer.REJECTED,
        "category_id": said,
        "taxonomy_version": "1",
        "by": "ann",
        "at": MONDAY,
        "previous_category_id": "hat",
        "previous_decision": "accept",
        "why": "audit",
        **values,
    }


def catalog(count: int = 200, accepted: int = 150) -> pa.Table:
    rows = label_rows([f"{n:03d}" for n in range(count)]).to_pylist()
    for number, row in enumerate(rows):
        row["decision"] = "accept" if number < accepted else "review"
    return pa.Table.from_pylist(rows)


def drawn(annotations: pa.Table = NONE, week: str = WEEK, count: int = 20) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = draw_sample(catalog(), annotations, week, count).to_pylist()
    return found


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["item_id"] for row in rows]


def test_a_week_has_the_same_items_whoever_asks_and_other_weeks_have_others() -> None:
    assert ids(drawn()) == ids(drawn())
    assert len(set(ids(drawn()))) == 20
    assert set(ids(drawn())) != set(ids(drawn(week=NEXT)))


def test_only_accepted_items_are_audited() -> None:
    assert {row["decision"] for row in drawn(count=1_000)} == {"accept"}
    assert len(drawn(count=1_000)) == 150


def test_what_was_answered_this_week_counts_and_the_rest_stays() -> None:
    before = drawn()

    left = drawn(answers(*[blind(row) for row in before[:5]]))

    assert ids(left) == ids(before[5:])


def test_what_was_audited_before_gives_its_place_to_the_next() -> None:
    before = drawn(week=NEXT)

    later = drawn(answers(*[blind(row) for row in before[:5]]), week=NEXT)

    assert ids(later)[:15] == ids(before[5:])
    assert len(later) == 20


def test_an_answer_that_was_taken_back_is_asked_again() -> None:
    item = drawn()[0]
    undone = blind(item, None, answer=Answer.WITHDRAWN, at=MONDAY + timedelta(minutes=1))

    assert ids(drawn(answers(blind(item), undone))) == ids(drawn())


def test_another_image_of_an_item_was_not_audited() -> None:
    item = drawn()[0]

    assert item["item_id"] in ids(drawn(answers(blind(item, etag="old")), count=200))


def figures(*rows: dict[str, Any]) -> AuditFigures:
    return audit_figures(answers(*rows), "1")


ITEMS = catalog(100, 100).to_pylist()


def test_the_share_of_blind_answers_that_agree_is_the_precision() -> None:
    found = figures(*[blind(item, "hat" if n else "sock") for n, item in enumerate(ITEMS[:20])])

    assert (found.whole.right, found.whole.items) == (19, 20)
    assert found.whole.precision.value == pytest.approx(0.95)
    # Clopper and Pearson's, as tables have it
    assert found.whole.precision.low == pytest.approx(0.7513, abs=1e-4)
    assert found.whole.precision.high == pytest.approx(0.9987, abs=1e-4)
    assert found.whole.sentence.startswith("19 of 20 accepted items are right: 95.0% (95 % int")


def test_a_rejected_item_was_labelled_wrongly() -> None:
    assert figures(blind(ITEMS[0], None)).whole.right == 0


def test_each_category_and_each_week_has_its_own() -> None:
    later = MONDAY + timedelta(days=7)
    found = figures(
        blind(ITEMS[0]),
        blind(ITEMS[1], "sock", at=later),
        blind(ITEMS[2], "sock", previous_category_id="sock", at=later),
    )

    assert [(e.category_id, e.right, e.items) for e in found.by_category] == [
        ("hat", 1, 2),
        ("sock", 1, 1),
    ]
    assert [(e.week, e.right, e.items) for e in found.by_week] == [(WEEK, 1, 1), (NEXT, 1, 2)]


@pytest.mark.parametrize(
    "values",
    [{"why": "queue"}, {"previous_decision": "review"}, {"taxonomy_version": "0"}],
    ids=["not blind", "not accepted", "another version"],
)
def test_other_answers_say_nothing_of_accepted_labels(values: dict[str, Any]) -> None:
    assert figures(blind(ITEMS[0], **values)).whole.items == 0


def test_a_second_blind_answer_takes_the_place_of_the_first() -> None:
    again = blind(ITEMS[0], "sock", at=MONDAY + timedelta(hours=1))

    assert (figures(blind(ITEMS[0]), again).whole.right, figures(again).whole.items) == (0, 1)


def test_before_any_answer_nothing_is_claimed() -> None:
    assert figures().whole.sentence == "no accepted item has been audited yet"


@pytest.mark.parametrize(
    ("day", "week"),
    [(date(2026, 1, 1), "2026-W01"), (date(2027, 1, 1), "2026-W53")],
)
def test_weeks_are_named_as_iso_8601_does(day: date, week: str) -> None:
    assert week_of(day) == week
