"""Which items a person wants to see: the filters of an address, and what they are in SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from lib.errors import InputError
from lib.labels.decisions import Decision
from lib.taxonomy.taxonomy import Taxonomy

DECISIONS = tuple(map(str, Decision))
ORDERS = {"doubtful": "doubtful first", "sure": "sure first", "item": "by id"}


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What an address asks for; each narrows what is shown, and an empty one does not.

    Attributes:
        category: an id; what stands below it counts as well.
        decision: one of `DECISIONS`.
        least: the least confidence, in percent.
        most: the most, in percent.
        run: the id of the run that wrote the row.
        since: the first day of the classification.
        until: the last day of it.
        error: a reason code.
        order: one of `ORDERS`.
        after: the item before the first one of the page.
        before: the item after the last one of the page.
    """

    category: str = ""
    decision: str = ""
    least: float | None = None
    most: float | None = None
    run: str = ""
    since: date | None = None
    until: date | None = None
    error: str = ""
    order: str = "doubtful"
    after: str = ""
    before: str = ""

    def address(self, **changes: object) -> str:
        """Return the address of a sheet with some filters changed, on its first page."""
        changed = replace(self, **{"after": "", "before": "", **changes})  # type: ignore[arg-type]  # by name
        return f"/browse{changed.query}"

    @property
    def query(self) -> str:
        """What follows the path in an address."""
        told = {
            field.name: _written(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) not in ("", None, field.default)
        }
        return f"?{urlencode(told)}" if told else ""

    @property
    def chosen(self) -> list[str]:
        """The names of the filters that narrow what is shown."""
        return [
            field.name
            for field in fields(self)
            if field.name not in ("order", "after", "before")
            and getattr(self, field.name) not in ("", None)
        ]


def below(taxonomy: Taxonomy, category_id: str) -> list[str]:
    """Return a category and all that stand below it; one that is unknown has none."""
    return [each for each in taxonomy.by_id if category_id in (each, *taxonomy.ancestors(each))]


def read_filters(given: Mapping[str, str]) -> Filters:
    """Read the filters of an address; what it has beside them is passed over.

    Raises:
        InputError: a value is none that its filter can have.
    """
    readers: dict[str, Callable[[str, str], object]] = {
        "decision": _one_of(DECISIONS),
        "order": _one_of(tuple(ORDERS)),
        "least": _percent,
        "most": _percent,
        "since": _day,
        "until": _day,
    }
    read: dict[str, Any] = {}
    for field in fields(Filters):
        if text := given.get(field.name, "").strip():
            reader = readers.get(field.name)
            read[field.name] = reader(field.name, text) if reader else text
    return Filters(**read)


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_of(known: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in known:
            raise InputError(f"{name} '{text}': expected one of {', '.join(known)}")
        return text

    return read


def _percent(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise InputError(f"{name} '{text}': expected a confidence in percent, from 0 to 100")
    return found


def _day(name: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year < 3000:
        raise InputError(f"{name} '{text}': expected a day such as 2026-11-28")
    return found
