"""The filters of an address: read, written, and refused with a sentence."""

from datetime import date

import pytest

from lib.desk.filters import Filters, below, read_filters
from lib.errors import InputError
from tests.helpers.catalogs import TAXONOMY

GIVEN = {
    "category": "tops",
    "decision": "review",
    "least": "12.5",
    "most": "90",
    "run": "night",
    "since": "2026-11-01",
    "until": "2026-11-28",
    "error": "gone",
    "order": "sure",
    "after": "a&b=c",
}


def test_an_address_is_read_as_it_was_written() -> None:
    filters = read_filters(GIVEN)
    assert (filters.least, filters.until) == (12.5, date(2026, 11, 28))
    asked = dict(each.split("=") for each in filters.query.removeprefix("?").split("&"))
    assert asked == GIVEN | {"after": "a%26b%3Dc"}


def test_what_is_not_asked_for_is_not_in_the_address() -> None:
    assert Filters().query == ""
    assert Filters(category="tops", after="a").address(decision="review") == (
        "/browse?category=tops&decision=review"
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("decision", "maybe", "expected one of accept, parent, review, person, error"),
        ("order", "random", "expected one of doubtful, sure, item"),
        ("least", "nan", "from 0 to 100"),
        ("most", "1e9", "from 0 to 100"),
        ("since", "yesterday", "expected a day such as 2026-11-28"),
        ("until", "2026-11-28' OR 1=1", "expected a day"),
        ("until", "9999-12-31", "expected a day"),
    ],
)
def test_a_value_that_no_filter_can_have_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_filters({name: text})


def test_a_category_has_all_that_stands_below_it() -> None:
    assert below(TAXONOMY, "tops") == ["tops", "shirt", "knitwear"]
    assert below(TAXONOMY, "shirt") == ["shirt"]
    assert below(TAXONOMY, "hat") == []
