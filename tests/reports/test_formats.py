import math

import pytest

from lib.reports import formats
from lib.reports.scores import short_labels, wilson


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (999, "999 B"), (14_200_000, "14.2 MB"), (999_960, "1.0 MB")],
)
def test_a_number_of_bytes_is_written_in_the_unit_that_fits(amount: int, text: str) -> None:
    assert formats.size(amount).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (0.0001, "<0.1 %"),
        (0.873, "87.3 %"),
        (0.99999, ">99.9 %"),
        (1, "100 %"),
        (math.nan, "\u2013"),
    ],
)
def test_a_percentage_never_claims_all_or_nothing_by_rounding(fraction: float, text: str) -> None:
    assert formats.percent(fraction).replace("\u00a0", " ") == text


def test_a_time_that_is_none_stays_as_it_was_written() -> None:
    assert formats.moment("last night") == "last night"


def test_the_wilson_interval_holds_the_fraction_and_stays_within_zero_and_one() -> None:
    for items in (1, 7, 1_000):
        for right in {0, 1, items}:
            interval = wilson(right / items, items)
            assert interval is not None
            low, high = interval
            assert 0 <= low <= right / items <= high <= 1
    assert wilson(math.nan, 0) is None


def test_the_wilson_interval_agrees_with_the_published_example() -> None:
    interval = wilson(0.5, 100)
    assert interval is not None
    assert interval == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_labels_are_shortened_only_where_they_stay_apart() -> None:
    paths = ["Home > Lamps", "Home > Chairs", "Garden > Chairs", "plain"]
    assert short_labels(paths) == ["Lamps", "Home > Chairs", "Garden > Chairs", "plain"]
