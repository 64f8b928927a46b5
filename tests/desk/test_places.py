"""Where items are found by what they are shown as, from the start and after answers."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lib.desk.places import UNKNOWN, Places

ROWS: list[dict[str, Any]] = [
    {"item_id": "b", "category_id": "shirt", "decision": "accept", "confidence": 0.5},
    {"item_id": "a", "category_id": None, "decision": "error", "confidence": None},
    {"item_id": "c", "category_id": "skirt", "decision": "review", "confidence": 0.25},
]
SCHEMA = pa.schema(
    {
        "item_id": pa.string(), "category_id": pa.string(), "decision": pa.string(),
        "confidence": pa.float32(), "run_id": pa.string(), "error": pa.string(),
        "classified_at": pa.int64(),
    }
)  # fmt: skip


def places_of(rows: list[dict[str, Any]]) -> Places:
    rest = {"run_id": "night", "error": None, "classified_at": 7}
    return Places(pa.Table.from_pylist([rest | row for row in rows], schema=SCHEMA))


@pytest.fixture
def places() -> Places:
    return places_of(ROWS)


def ids(places: Places, *categories: str) -> list[str]:
    return sorted(places.ids_at(places.of_categories(categories)))


def test_what_is_shown_in_another_category_is_found_there_alone(places: Places) -> None:
    places.show([(0, "hat", "person"), (1, "skirt", "person")])
    assert (ids(places, "shirt"), ids(places, "hat"), ids(places, "skirt")) == (
        [],
        ["b"],
        ["a", "c"],
    )
    places.show([(0, "shirt", "accept")])
    assert (ids(places, "shirt"), ids(places, "hat")) == (["b"], [])
    assert ids(places, "hat", "shirt", "unknown") == ["b"]


def test_counts_follow_what_is_shown_and_those_before_stay_as_they_were(places: Places) -> None:
    before = places.counts
    places.show([(1, None, "person")])
    assert before[None, "error"] == 1
    assert (places.counts[None, "error"], places.counts[None, "person"]) == (0, 1)


def test_ranks_are_those_of_the_ids(places: Places) -> None:
    assert places.rank.tolist() == [1, 0, 2]


def test_what_no_item_has_is_found_nowhere(places: Places) -> None:
    assert places.code_of_run("another") == places.code_of_error("gone") == UNKNOWN
    assert (places.run == places.code_of_run("night")).all()
    assert np.isnan(places.confidence).tolist() == [False, True, False]


def test_a_table_without_items_has_none_in_any_category() -> None:
    places = places_of([])
    assert ids(places, "shirt") == []
    assert dict(places.counts) == {}
