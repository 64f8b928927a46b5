from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lib.labels.decisions import NEVER, Decider
from lib.schemas import LABELS_SCHEMA
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy

TAXONOMY = parse_taxonomy(
    """
version: "1"
categories:
- id: clothes
  name: Clothes
  children:
  - id: tops
    name: Tops
    children:
    - {id: shirt, name: Shirt}
    - {id: vest, name: Vest}
  - id: legs
    name: Legs
    children:
    - {id: jeans, name: Jeans}
    - {id: shorts, name: Shorts}
- id: shoes
  name: Shoes
  children:
  - {id: boot, name: Boot}
  - {id: clog, name: Clog}
- {id: hat, name: Hat}
""",
    "taxonomy.yaml",
)
LEAVES = ("shirt", "vest", "jeans", "shorts", "boot", "clog", "hat")
# in eighths and sixteenths, so that sums are exact
SURE_OF_A_LEAF = [0.75, 0.125, 0.125, 0, 0, 0, 0]
SURE_OF_TOPS = [0.5, 0.25, 0.125, 0, 0.125, 0, 0]
SURE_OF_CLOTHES = [0.25, 0.1875, 0.1875, 0.125, 0.125, 0.125, 0]
SURE_OF_NOTHING = [0.125, 0.125, 0.125, 0.125, 0.1875, 0.1875, 0.125]
A_HAT_PERHAPS = [0.125, 0.125, 0.125, 0, 0.125, 0, 0.5]


def decide(
    *rows: list[float],
    threshold: float = 0.7,
    order: tuple[str, ...] = LEAVES,
    taxonomy: Taxonomy = TAXONOMY,
) -> list[dict[str, Any]]:
    decider = Decider(taxonomy=taxonomy, category_ids=order, threshold=threshold)
    probabilities = np.array(rows, np.float32).reshape(len(rows), len(order))
    decided: list[dict[str, Any]] = decider.decide(probabilities).to_pylist()
    assert decider.choose(probabilities) == [
        (each["category_id"], each["confidence"], each["decision"]) for each in decided
    ]
    return decided


@pytest.mark.parametrize(
    ("row", "category_id", "path", "confidence", "decision"),
    [
        (SURE_OF_A_LEAF, "shirt", "Clothes > Tops > Shirt", 0.75, "accept"),
        (SURE_OF_TOPS, "tops", "Clothes > Tops", 0.75, "parent"),
        (SURE_OF_CLOTHES, "clothes", "Clothes", 0.75, "parent"),
        (SURE_OF_NOTHING, "boot", "Shoes > Boot", 0.1875, "review"),
        (A_HAT_PERHAPS, "hat", "Hat", 0.5, "review"),
    ],
)
def test_the_nearest_category_that_is_sure_enough_is_taken(
    row: list[float], category_id: str, path: str, confidence: float, decision: str
) -> None:
    (got,) = decide(row)
    assert got["category_id"] == category_id
    assert got["category_path"] == path
    assert got["confidence"] == confidence
    assert got["decision"] == decision


def test_a_confidence_that_equals_the_threshold_is_enough() -> None:
    assert decide(SURE_OF_A_LEAF, threshold=0.75)[0]["decision"] == "accept"
    assert decide(SURE_OF_TOPS, threshold=0.75)[0]["category_id"] == "tops"


def test_the_parent_is_the_best_leafs_even_where_another_is_surer() -> None:
    (got,) = decide([0, 0, 0, 0, 0.3125, 0.3125, 0.375], threshold=0.5)
    assert (got["category_id"], got["decision"]) == ("hat", "review")


def test_a_parents_confidence_is_the_sum_of_its_leaves_and_never_above_1() -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 500).astype(np.float32)
    for row, got in zip(rows, decide(*rows.tolist(), threshold=0.6), strict=True):
        below = [c for c in LEAVES if got["category_id"] in {c, *TAXONOMY.ancestors(c)}]
        together = sum(float(row[LEAVES.index(each)]) for each in below)
        assert got["confidence"] == pytest.approx(together, abs=1e-6)
        assert got["confidence"] <= 1
        assert (got["decision"] == "review") == (got["confidence"] < 0.6)
        assert (got["decision"] == "parent") == (got["category_id"] not in LEAVES)


def test_top_k_is_the_five_most_probable_leaves_in_order() -> None:
    (got,) = decide([0.0625, 0.25, 0, 0.125, 0.03125, 0.5, 0.015625])
    assert got["top_k"] == [
        {"category_id": "clog", "probability": 0.5},
        {"category_id": "vest", "probability": 0.25},
        {"category_id": "shorts", "probability": 0.125},
        {"category_id": "shirt", "probability": 0.0625},
        {"category_id": "boot", "probability": 0.03125},
    ]


def test_every_row_has_its_own_top_k() -> None:
    rows = np.random.default_rng(1).dirichlet(np.ones(7), 50).astype(np.float32)
    for row, got in zip(rows, decide(*rows.tolist()), strict=True):
        assert [each["probability"] for each in got["top_k"]] == sorted(row.tolist())[:1:-1]
        assert all(
            row[LEAVES.index(each["category_id"])] == each["probability"] for each in got["top_k"]
        )


def test_the_first_of_top_k_is_the_leaf_that_is_decided_on_even_among_equals() -> None:
    (got,) = decide([0, 0.25, 0, 0.25, 0.25, 0.25, 0], threshold=0.9)
    assert got["category_id"] == got["top_k"][0]["category_id"] == "vest"


def test_fewer_leaves_than_five_are_all_in_top_k() -> None:
    small = parse_taxonomy("version: 1\ncategories: [{id: a}, {id: b}]", "taxonomy.yaml")
    got = decide([0.25, 0.75], [1, 0], order=("a", "b"), taxonomy=small)
    assert [[each["category_id"] for each in row["top_k"]] for row in got] == [
        ["b", "a"],
        ["a", "b"],
    ]


def test_the_columns_order_may_differ_from_the_taxonomys() -> None:
    order = ("hat", "clog", "vest", "shirt", "boot", "shorts", "jeans")
    for row in (SURE_OF_A_LEAF, SURE_OF_TOPS, SURE_OF_CLOTHES, A_HAT_PERHAPS):
        moved = [row[LEAVES.index(each)] for each in order]
        got, expected = decide(moved, order=order)[0], decide(row)[0]
        assert {**got, "top_k": None} == {**expected, "top_k": None}
        assert got["top_k"][0] == expected["top_k"][0]


def test_no_items_give_no_rows() -> None:
    assert decide() == []


@pytest.mark.parametrize("rows", [0, 1, 40])
def test_the_columns_have_the_types_of_the_labels_table(rows: int) -> None:
    decider = Decider(taxonomy=TAXONOMY, category_ids=LEAVES, threshold=0.7)
    table = decider.decide(np.full((rows, 7), 1 / 7, np.float32))
    for column in ("category_id", "category_path", "confidence", "top_k", "decision"):
        assert table.schema.field(column).type == LABELS_SCHEMA.field(column).type
    assert table.num_rows == rows
    assert isinstance(table, pa.Table)


def test_among_a_few_leaves_a_category_above_is_as_sure_as_those_of_them_below_it() -> None:
    decider = Decider(taxonomy=TAXONOMY, category_ids=LEAVES, threshold=0.7)
    order = np.array([[0, 1, 4], [6, -1, -1]])
    values = np.array([[0.5, 0.25, 0.125], [0.5, 0, 0]], np.float32)

    tops, hat = decider.decide_among(order, values).to_pylist()

    assert (tops["category_id"], tops["confidence"], tops["decision"]) == ("tops", 0.75, "parent")
    assert (hat["category_id"], hat["decision"]) == ("hat", "review")
    assert hat["top_k"] == [{"category_id": "hat", "probability": 0.5}]


def test_a_threshold_that_cannot_be_reached_is_not_reached_by_certainty() -> None:
    assert decide([1, 0, 0, 0, 0, 0, 0], threshold=NEVER)[0]["decision"] == "review"


def test_each_category_has_its_own_threshold_and_others_the_common_one() -> None:
    decider = Decider(
        taxonomy=TAXONOMY,
        category_ids=LEAVES,
        threshold=0.7,
        thresholds={"shirt": 0.8, "tops": NEVER, "clothes": 0.875},
    )
    rows = np.array([SURE_OF_A_LEAF, SURE_OF_TOPS, [0, 0, 0.75, 0.25, 0, 0, 0]], np.float32)
    got = decider.decide(rows)
    assert got["category_id"].to_pylist() == ["clothes", "clothes", "jeans"]
    assert got["decision"].to_pylist() == ["parent", "parent", "accept"]
