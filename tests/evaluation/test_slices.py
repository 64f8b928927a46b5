import numpy as np

from lib.evaluation.slices import Slice, slice_by


def half_and(share_right: float, items: int = 100) -> list[Slice]:
    """Slices of two values: one right in nine of ten items, the other in a given share."""
    right = [n % 10 > 0 for n in range(items)] + [n < share_right * items for n in range(items)]
    return slice_by({"season": ["summer"] * items + [None] * items}, np.array(right))


def test_each_value_has_its_items_and_its_accuracy() -> None:
    summer, none = half_and(0.8)

    assert (summer.value, summer.items, summer.right) == ("summer", 100, 90)
    assert (none.value, none.items, none.right) == (None, 100, 80)
    assert none.accuracy.low < 0.8 < none.accuracy.high


def test_a_slice_that_is_far_worse_than_the_rest_is_called_so() -> None:
    summer, none = half_and(0.6)

    assert (summer.worse, none.worse) == (False, True)


def test_a_slice_that_may_be_worse_by_chance_is_not() -> None:
    assert not any(each.worse for each in half_and(0.85))


def test_of_many_slices_that_differ_by_chance_alone_few_are_called_worse() -> None:
    random = np.random.default_rng(3)

    called = 0
    for _ in range(20):
        values = [str(n) for n in random.integers(0, 30, 900)]
        called += any(each.worse for each in slice_by({"size": values}, random.random(900) < 0.8))

    assert called <= 3


def test_no_columns_give_no_slices() -> None:
    assert slice_by({}, np.array([True])) == []
