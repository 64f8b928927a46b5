import math
from collections.abc import Sequence

import pyarrow as pa
import pytest

from lib.reports.classification_rows import ERROR_ITEMS, LEAST_SURE, SHEET_ITEMS, Collected
from lib.schemas import LABELS_SCHEMA
from tests.helpers import catalogs

KNOWN_SCHEMA = pa.schema([("item_id", pa.string()), ("category_id", pa.string())])
NOTHING_KNOWN = KNOWN_SCHEMA.empty_table()
LEAVES = catalogs.TAXONOMY.leaves


def part(first: int, count: int, decisions: Sequence[str] = ("accept",)) -> pa.Table:
    """Rows of labels over all leaves; an item's confidence rises with its number."""
    rows = catalogs.label_rows([f"{n:05d}" for n in range(first, first + count)]).to_pylist()
    for n, row in enumerate(rows, first):
        leaf, sure = LEAVES[n % len(LEAVES)], n / 100_000
        row |= {
            "category_id": leaf,
            "category_path": catalogs.TAXONOMY.path(leaf),
            "confidence": sure,
            "top_k": [{"category_id": leaf, "probability": sure}],
            "decision": decisions[n % len(decisions)],
        }
    return pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)


def errors(count: int) -> pa.Table:
    ids = [f"broken-{n:05d}" for n in range(count)]
    return catalogs.label_rows(ids, broken=ids)


def known(**labels: str) -> pa.Table:
    rows = [{"item_id": i.lstrip("_"), "category_id": c} for i, c in labels.items()]
    return pa.Table.from_pylist(rows, schema=KNOWN_SCHEMA)


def test_every_labelled_row_is_counted_once_over_all_parts() -> None:
    collected = Collected()
    for seed, first in enumerate((0, 100, 200)):
        rows = part(first, 100, ("accept", "review", "parent"))
        collected.add(rows, NOTHING_KNOWN, seed)

    counted = collected.categories
    assert sum(c.accepted + c.parent + c.review for c in counted) == 300
    assert (sum(c.accepted for c in counted), sum(c.review for c in counted)) == (100, 100)
    assert {c.category_id for c in counted} == set(LEAVES)
    assert collected.histogram.sum() == 300


def test_the_largest_category_comes_first() -> None:
    rows = pa.concat_tables([part(0, 50), part(51, 1), part(56, 1), part(53, 1)])
    collected = Collected()
    collected.add(rows, NOTHING_KNOWN, 0)

    sizes = [(c.category_id, c.accepted) for c in collected.categories]

    assert sizes[0] == (LEAVES[1], 12)
    assert [size for _, size in sizes] == sorted((s for _, s in sizes), reverse=True)


def test_the_mean_confidence_of_a_category_is_over_all_its_rows() -> None:
    collected = Collected()
    collected.add(part(0, 10), NOTHING_KNOWN, 0)
    collected.add(part(90_000, 10), NOTHING_KNOWN, 1)

    for category in collected.categories:
        assert category.mean_confidence == pytest.approx(0.45, abs=0.001)


def test_samples_and_lists_stay_small_however_many_the_rows() -> None:
    collected = Collected()
    for seed in range(3):
        collected.add(part(5000 * seed, 5000, ("accept", "review")), NOTHING_KNOWN, seed)
        collected.add(errors(5000), NOTHING_KNOWN, seed)

    assert {leaf for leaf, _ in collected.samples} == set(LEAVES)
    assert all(len(sample) == SHEET_ITEMS for sample in collected.samples.values())
    assert len(collected.least_sure) == LEAST_SURE
    assert len(collected.errors) == ERROR_ITEMS


def test_the_least_sure_of_all_parts_are_shown_in_order() -> None:
    collected = Collected()
    collected.add(part(500, 500, ("review",)), NOTHING_KNOWN, 0)
    collected.add(part(0, 500, ("review",)), NOTHING_KNOWN, 1)

    shown = [row["item_id"] for row in collected.least_sure]
    assert shown == [f"{n:05d}" for n in range(LEAST_SURE)]


def test_the_sample_of_a_category_is_of_its_own_items() -> None:
    collected = Collected()
    collected.add(part(0, 1000, ("accept", "review")), NOTHING_KNOWN, 0)

    for (category_id, for_review), sample in collected.samples.items():
        for _, item_id, row in sample:
            assert (int(item_id) % 2 == 1) == for_review
            assert row["category_id"] == category_id == LEAVES[int(item_id) % len(LEAVES)]


@pytest.mark.parametrize(
    ("decisions", "for_review"),
    [
        (("accept", "review"), SHEET_ITEMS // 2),
        (("review",), SHEET_ITEMS),
        (("accept", "parent"), 0),
    ],
)
def test_a_contact_sheet_begins_with_those_to_decide_and_they_leave_room_for_the_sure(
    decisions: tuple[str, ...], for_review: int
) -> None:
    collected = Collected()
    collected.add(part(0, 1000, decisions), NOTHING_KNOWN, 0)

    for category_id in LEAVES:
        sheet = [row["decision"] == "review" for row in collected.sheet(category_id)]
        assert sheet == [True] * for_review + [False] * (SHEET_ITEMS - for_review)


def test_a_sample_is_drawn_from_all_of_the_rows_and_again_the_same() -> None:
    def sample() -> list[str]:
        collected = Collected()
        for seed in range(4):
            collected.add(part(2500 * seed, 2500), NOTHING_KNOWN, seed)
        return [item_id for each in collected.samples.values() for _, item_id, _ in each]

    drawn = sample()
    assert sample() == drawn
    assert {int(item_id) // 2500 for item_id in drawn} == {0, 1, 2, 3}


def test_an_error_keeps_its_reason_and_detail() -> None:
    collected = Collected()
    collected.add(pa.concat_tables([part(0, 5), errors(1)]), NOTHING_KNOWN, 0)

    (error,) = collected.errors
    assert (error.item_id, error.code) == ("broken-00000", "gone")
    assert error.detail == "broken-00000 is not there"


def test_a_part_of_errors_alone_adds_no_category() -> None:
    collected = Collected()
    collected.add(errors(5), NOTHING_KNOWN, 0)

    assert collected.categories == []
    assert collected.least_sure == []
    assert collected.histogram.sum() == 0


def test_known_labels_are_paired_with_the_best_leaf_of_the_same_item() -> None:
    collected = Collected()
    labels = known(_00002="shoes", _00000="skirt", nobody="shirt")
    collected.add(pa.concat_tables([part(0, 2), errors(3)]), labels, 0)
    collected.add(part(2, 2), labels, 1)

    assert collected.truth == ["skirt", "shoes"]
    assert collected.predicted == [LEAVES[0], LEAVES[2]]


def test_an_error_with_a_known_label_is_not_evaluated() -> None:
    collected = Collected()
    rows = errors(1)
    collected.add(rows, known(**{rows["item_id"][0].as_py(): "shoes"}), 0)

    assert collected.truth == collected.predicted == []


def test_what_people_have_decided_is_counted_apart_from_what_the_model_was_sure_of() -> None:
    rows = part(0, 50, ("accept", "person", "review"))
    collected = Collected()
    collected.add(rows, NOTHING_KNOWN, 0)

    counted = collected.categories
    assert sum(c.items for c in counted) == 50
    assert sum(c.person for c in counted) == 17
    assert collected.histogram.sum() == 33
    of_model = [n for n in range(50) if n % 3 != 1 and n % len(LEAVES) == 0]
    (first,) = [c for c in counted if c.category_id == LEAVES[0]]
    assert first.mean_confidence == pytest.approx(sum(of_model) / len(of_model) / 100_000)


def test_an_item_that_a_person_alone_has_seen_is_counted_without_a_confidence() -> None:
    """Its image has failed: there is neither a confidence nor a best leaf."""
    row = part(0, 1).to_pylist()[0] | {"confidence": None, "top_k": None, "decision": "person"}
    collected = Collected()
    known_too = known(_00000=LEAVES[0])
    collected.add(pa.Table.from_pylist([row], schema=LABELS_SCHEMA), known_too, 0)

    (category,) = collected.categories
    assert (category.items, category.person) == (1, 1)
    assert math.isnan(category.mean_confidence)
    assert collected.truth == collected.predicted == []
