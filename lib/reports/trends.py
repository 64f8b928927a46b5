"""How a night's figures stand beside those of the nights before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from lib.reports.data import NightFigures
from lib.reports.formats import NOTHING, count, percent
from lib.reports.sparklines import sparkline


@dataclass(frozen=True, kw_only=True)
class Trend:
    """One figure over the nights; `now` is this night's, `usual` the median of those before."""

    label: str
    line: Markup
    now: str
    usual: str


def trends(nights: Sequence[NightFigures]) -> list[Trend]:
    """Return the figures of some nights, the oldest first; none where there is but one night."""
    if len(nights) < 2:
        return []

    def whole(value: float) -> str:
        return count(round(value))

    decided: list[float | None] = [each.people for each in nights]
    figures: list[tuple[str, list[float | None], Callable[[float], str]]] = [
        ("items classified", [each.items for each in nights], whole),
        ("to decide", [each.review for each in nights], whole),
        ("decided by people", decided if any(decided) else [None], whole),
        ("errors", [each.errors for each in nights], whole),
        ("category changes, of the table", [each.category_changes for each in nights], percent),
        ("drift", [each.drift for each in nights], percent),
    ]
    return [
        _trend(label, values, write)
        for label, values, write in figures
        if any(value is not None for value in values)
    ]


def _trend(label: str, values: list[float | None], write: Callable[[float], str]) -> Trend:
    before = [value for value in values[:-1] if value is not None]
    now = values[-1]
    return Trend(
        label=label,
        line=sparkline(values),
        now=NOTHING if now is None else write(now),
        usual=write(median(before)) if before else NOTHING,
    )
