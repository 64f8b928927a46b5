import itertools

import pyarrow as pa
import pytest

from lib.catalog.split import split_items
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA


def items(labels: dict[str, int], start: int = 0) -> pa.Table:
    """So many items of each category, with ids from `start` on."""
    number = itertools.count(start)
    rows = [
        {"item_id": f"{category}-{next(number):05}", "uri": "x", "category_id": category}
        for category, count in labels.items()
        for _ in range(count)
    ]
    return pa.Table.from_pylist(rows, ITEM_SCHEMA)


def said(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    keys = ("item_id", "category_id", "split")
    found = [{"uri": "x", **dict(zip(keys, row, strict=True))} for row in rows]
    return pa.Table.from_pylist(found, ITEM_SCHEMA)


def ids(table: pa.Table) -> set[str]:
    return set(table["item_id"].to_pylist())


def count(table: pa.Table, category: str) -> int:
    return int(table["category_id"].to_pylist().count(category))


def refusal(table: pa.Table) -> str:
    with pytest.raises(InputError) as caught:
        split_items(table, 0.2, "items.csv")
    return str(caught.value)


def test_every_labelled_item_is_on_exactly_one_side() -> None:
    table = items({"hat": 41, "shoes": 7})
    train, validation = split_items(table, 0.2, "items.csv")
    assert ids(train) | ids(validation) == ids(table)
    assert train.num_rows + validation.num_rows == table.num_rows
    assert train.schema == validation.schema == ITEM_SCHEMA


def test_the_share_is_right_in_every_category() -> None:
    _, validation = split_items(items({"hat": 1000, "shoes": 50, "shirt": 5}), 0.2, "items.csv")
    assert [count(validation, each) for each in ("hat", "shoes", "shirt")] == [200, 10, 1]


def test_a_category_of_two_has_one_on_each_side_and_of_one_is_trained_on() -> None:
    for fraction in (0.01, 0.2, 0.99):
        train, validation = split_items(items({"two": 2, "one": 1}), fraction, "items.csv")
        assert (count(train, "two"), count(validation, "two")) == (1, 1)
        assert (count(train, "one"), count(validation, "one")) == (1, 0)


def test_the_split_does_not_depend_on_the_order_of_the_items() -> None:
    table = items({"hat": 100, "shoes": 20})
    turned = table.take(list(range(table.num_rows))[::-1])
    assert ids(split_items(table, 0.2, "a")[1]) == ids(split_items(turned, 0.2, "a")[1])


def test_new_items_move_few_of_the_old_ones() -> None:
    old = items({"hat": 1000})
    grown = pa.concat_tables([old, items({"hat": 100}, start=1000)])
    before, after = (ids(split_items(table, 0.2, "a")[1]) for table in (old, grown))
    # one in five of the new items is held out; no more of the old ones than that change sides
    assert len(before ^ (after & ids(old))) <= 20


def test_other_categories_move_none() -> None:
    hats = items({"hat": 100})
    with_shoes = pa.concat_tables([hats, items({"shoes": 100}, start=500)])
    after = ids(split_items(with_shoes, 0.2, "a")[1])
    assert after & ids(hats) == ids(split_items(hats, 0.2, "a")[1])


def test_items_without_a_label_are_left_out() -> None:
    table = pa.concat_tables([items({"hat": 10}), said(("unlabelled", None, None))])
    train, validation = split_items(table, 0.2, "items.csv")
    assert "unlabelled" not in ids(train) | ids(validation)


def test_the_catalogs_own_split_is_followed() -> None:
    table = said(
        ("1", "hat", "train"),
        ("2", "hat", "validation"),
        ("3", "hat", "test"),
        ("4", "hat", None),
        ("5", None, "train"),
    )
    train, validation = split_items(table, 0.2, "items.csv")
    assert (ids(train), ids(validation)) == ({"1"}, {"2"})


def test_an_unknown_split_is_named() -> None:
    table = said(("1", "hat", "train"), ("2", "hat", "valid"))
    assert refusal(table) == "items.csv: an item's split is 'valid'; known: train, validation, test"


@pytest.mark.parametrize(
    ("table", "sides"),
    [
        (said(("1", "hat", "train")), (1, 0)),
        (said(("1", "hat", "validation")), (0, 1)),
        (said(("1", "hat", "test")), (0, 0)),
        (said(("1", None, None)), (0, 0)),
        (items({}), (0, 0)),
        (items({"hat": 1}), (1, 0)),
    ],
)
def test_an_empty_side_is_refused_with_both_counts(table: pa.Table, sides: tuple[int, int]) -> None:
    expected = "items.csv: labelled items to train on: {}, to validate with: {}".format(*sides)
    assert refusal(table).startswith(expected)
