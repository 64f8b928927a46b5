import numpy as np
import pytest

from lib.heads.power_law import PowerLaw, fit_power_law

LABELS = np.array([25.0, 50.0, 75.0, 100.0])


def fitted(
    exponent: float, items: int, error: float = 0.2, like: PowerLaw | None = None
) -> PowerLaw:
    """A law of what is measured where 100 labels have an error, and fewer more of it."""
    errors = error * (LABELS / 100) ** -exponent
    law = fit_power_law(LABELS, items * (1 - errors), np.full(4, float(items)), like)
    assert law is not None
    return law


def test_an_error_that_falls_goes_on_falling_and_its_band_holds_the_truth() -> None:
    four_times = fitted(0.5, 20_000).accuracy(400)

    assert four_times.low <= 1 - 0.2 * 4**-0.5 <= four_times.high
    assert four_times.value > 0.85


def test_an_error_that_stays_stays_and_labels_alone_would_not_help() -> None:
    law = fitted(0.0, 20_000)

    assert law.accuracy(1_000).value == pytest.approx(0.8, abs=0.02)
    assert law.needed(0.9, 100) is None


def test_fewer_items_have_a_wider_band() -> None:
    many, few = (fitted(0.5, items).accuracy(200) for items in (5_000, 20))

    assert few.high - few.low > 3 * (many.high - many.low)


def test_the_labels_that_are_needed_reach_the_goal_and_far_fewer_do_not() -> None:
    law = fitted(0.6, 5_000)

    more = law.needed(0.85, 100)

    assert more is not None
    assert law.accuracy(100 + more).value >= 0.85
    assert law.accuracy(100 + 0.75 * more).value < 0.85


def test_a_category_of_few_items_learns_like_the_others() -> None:
    steep, flat = (fitted(0.5, 3, like=fitted(each, 20_000)) for each in (0.9, 0.0))

    assert steep.accuracy(400).value > flat.accuracy(400).value + 0.05


@pytest.mark.parametrize("right", [0.0, 5.0])
def test_none_or_all_right_is_no_certainty(right: float) -> None:
    law = fit_power_law(LABELS, np.full(4, right), np.full(4, 5.0))

    assert law is not None
    found = law.accuracy(100)
    assert 0 <= found.low < found.value < found.high <= 1


def test_without_held_out_items_there_is_no_law() -> None:
    assert fit_power_law(LABELS, np.zeros(4), np.zeros(4)) is None
