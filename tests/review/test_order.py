"""The queue's order: each answer helps most, and the same items have the same order."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from lib.review.order import Order, order_rows
from lib.schemas import LABELS_SCHEMA

Item = tuple[str, str, Sequence[float]]  # id, category, the best probabilities


def items(*rows: Item, clusters: Sequence[object] | None = None) -> pa.Table:
    top_k = [[{"category_id": "x", "probability": each} for each in row[2]] for row in rows]
    table = pa.table(
        {
            "item_id": [row[0] for row in rows],
            "category_id": [row[1] for row in rows],
            "top_k": pa.array(top_k, LABELS_SCHEMA.field("top_k").type),
        }
    )
    return table if clusters is None else table.append_column("cluster", pa.array(clusters))


def ids(table: pa.Table, by: Order, seed: int = 0) -> list[str]:
    return [table["item_id"][row].as_py() for row in order_rows(table, by, seed).tolist()]


CLOSE, HALF, CLEAR = (0.41, 0.4), (0.6, 0.3), (0.98, 0.01)
THREE = items(("a", "hat", CLEAR), ("b", "hat", CLOSE), ("c", "hat", HALF))


def test_the_closest_call_is_asked_first_and_the_clearest_last() -> None:
    assert ids(THREE, Order.UNSURE) == ["b", "c", "a"]


def test_sure_items_first_is_the_other_way_round() -> None:
    assert ids(THREE, Order.SURE) == ["a", "c", "b"]


def test_an_item_without_probabilities_is_as_unsure_as_can_be() -> None:
    assert ids(items(("a", "hat", CLOSE), ("b", "hat", ())), Order.UNSURE) == ["b", "a"]


def test_one_category_alone_has_no_second_best() -> None:
    assert ids(items(("a", "hat", (0.9,)), ("b", "hat", HALF)), Order.UNSURE) == ["b", "a"]


def test_a_crowd_of_one_category_does_not_fill_the_first_sheet() -> None:
    crowd: list[Item] = [(f"h{n:03d}", "hat", CLOSE) for n in range(100)]
    table = items(*crowd, ("s", "sock", HALF))

    assert ids(table, Order.UNSURE).index("s") == 100
    assert ids(table, Order.HELPFUL).index("s") < 30


def test_a_crowd_of_photos_that_look_alike_does_not_fill_the_first_sheet() -> None:
    crowd: list[Item] = [(f"h{n:03d}", "hat", CLOSE) for n in range(100)]
    table = items(*crowd, ("s", "hat", HALF), clusters=[1] * 100 + [2])

    assert ids(table, Order.HELPFUL).index("s") < 30


def test_what_is_clear_is_not_asked_for_the_sake_of_spread() -> None:
    unsure: list[Item] = [(f"h{n:03d}", "hat", CLOSE) for n in range(100)]

    assert ids(items(*unsure, ("s", "sock", CLEAR)), Order.HELPFUL)[-1] == "s"


def test_chance_has_the_same_order_each_time_and_another_for_another_seed() -> None:
    table = items(*[(f"i{n:03d}", "hat", HALF) for n in range(50)])

    first = ids(table, Order.RANDOM, seed=1)
    assert first == ids(table.take(pa.array(range(49, -1, -1))), Order.RANDOM, seed=1)
    assert first != sorted(first)
    assert first != ids(table, Order.RANDOM, seed=2)


@pytest.mark.parametrize("by", Order)
def test_every_item_is_asked_once(by: Order) -> None:
    random = np.random.default_rng(0)
    rows: list[Item] = [
        (f"i{n}", "hat" if n % 3 else "sock", sorted(random.random(5), reverse=True))
        for n in range(3_000)
    ]
    table = items(*rows, clusters=[None if n % 7 else n % 11 for n in range(3_000)])

    assert sorted(order_rows(table, by).tolist()) == [*range(3_000)]


@pytest.mark.parametrize("by", Order)
def test_no_items_have_no_order(by: Order) -> None:
    assert order_rows(items(), by).tolist() == []
