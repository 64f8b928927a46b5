import re

from lib.reports.data import NightFigures
from lib.reports.trends import trends
from lib.sparklines import sparkline


def night(items: int, drift: float | None = None) -> NightFigures:
    return NightFigures(items=items, review=1, errors=0, category_changes=0.1, drift=drift)


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'points="([^"]*)"', svg)
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", each)] for each in lines
    ]


def test_a_first_night_has_no_trend() -> None:
    assert trends([night(5)]) == []


def test_a_figure_stands_beside_its_median_before() -> None:
    items = trends([night(10), night(30), night(2_000), night(12)])[0]
    assert (items.label, items.now, items.usual) == ("items classified", "12", "30")


def test_a_figure_that_no_night_has_is_left_out() -> None:
    assert [each.label for each in trends([night(1), night(2)])][-1] == (
        "category changes, of the table"
    )


def test_a_figure_that_only_this_night_lacks_is_a_dash() -> None:
    drift = trends([night(1, 0.5), night(2)])[-1]
    assert (drift.label, drift.now, drift.usual) == ("drift", "\u2013", "50.0\u00a0%")


def test_a_line_goes_from_left_to_right_and_stands_on_0() -> None:
    ((first, second, third),) = points(sparkline([0.0, 5.0, 10.0]))
    assert first[0] < second[0] < third[0]
    assert first[1] - second[1] == second[1] - third[1] > 0


def test_a_night_without_the_figure_leaves_a_gap() -> None:
    before, after = points(sparkline([1.0, 2.0, None, 4.0, 3.0]))
    assert (len(before), len(after)) == (2, 2)
    step = before[1][0] - before[0][0]
    assert round(after[0][0] - before[1][0], 1) == round(2 * step, 1)


def test_nothing_but_zeros_is_a_flat_line() -> None:
    ((first, second),) = points(sparkline([0.0, 0.0]))
    assert first[1] == second[1]
