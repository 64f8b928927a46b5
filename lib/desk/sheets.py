"""Sheets of items: those that filters leave, a page at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from lib.desk.filters import Filters, below
from lib.desk.label_rows import Row
from lib.desk.local_table import LocalTable
from lib.desk.places import CODES, Ints, Places
from lib.taxonomy.taxonomy import Taxonomy

PAGE = 60
COUNTED = {"category", "decision"}  # filters whose items are counted already
Keys = np.ndarray[Any, np.dtype[Any]]


def _doubtful(places: Places, at: Ints) -> Keys:
    found = places.confidence[at]
    return np.where(np.isnan(found), np.float32(2), found)


def _sure(places: Places, at: Ints) -> Keys:
    found = places.confidence[at]
    return np.where(np.isnan(found), np.float32(2), -found)


# what a page is sorted by, before the place in the table; an item without a confidence comes last.
# It is the model's, which answers do not change: what is decided moves nothing to another page.
_KEYS: dict[str, Callable[[Places, Ints], Keys]] = {
    "doubtful": _doubtful,
    "sure": _sure,
    "item": lambda places, at: places.rank[at],
}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One page of what filters leave.

    Attributes:
        rows: as the desk shows them.
        filters: of this page.
        next: of the page after it, or None.
        previous: of the page before it, or None.
    """

    rows: list[Row]
    filters: Filters
    next: Filters | None = None
    previous: Filters | None = None


def find_sheet(table: LocalTable, taxonomy: Taxonomy, filters: Filters, size: int = PAGE) -> Sheet:
    """Find a page of items.

    A page begins after an item and not at a number: so none is passed over where items have left
    the sheet meanwhile, and a late page costs no more than the first.
    """
    places, keys_of = table.places, _KEYS[filters.order]
    backwards = bool(filters.before)
    mark = filters.before or filters.after
    at = table.place_of(mark) if mark else None
    if mark and at is None:  # it left the table: begin again
        return find_sheet(table, taxonomy, replace(filters, after="", before=""), size)
    found = _matching(places, taxonomy, filters)
    keys = keys_of(places, found)
    if at is not None:
        key = keys_of(places, np.array([at]))[0]
        beyond = (keys < key) if backwards else (keys > key)
        beyond |= (keys == key) & ((found < at) if backwards else (found > at))
        keys, found = keys[beyond], found[beyond]
    ids = places.ids_at(_first(keys, found, size + 1, backwards=backwards))
    more, ids = len(ids) > size, ids[:size]
    if backwards:
        ids.reverse()
    later = more or backwards
    earlier = more if backwards else at is not None
    return Sheet(
        rows=table.items(ids),
        filters=filters,
        next=replace(filters, after=ids[-1], before="") if later and ids else None,
        previous=replace(filters, before=ids[0], after="") if earlier and ids else None,
    )


def count_items(table: LocalTable, taxonomy: Taxonomy, filters: Filters) -> int:
    """Count what filters leave, on all pages."""
    if {*filters.chosen} <= COUNTED:
        within = below(taxonomy, filters.category) if filters.category else None
        return sum(
            items
            for (category_id, decision), items in table.counts_by_category().items()
            if (within is None or category_id in within) and filters.decision in ("", decision)
        )
    return len(_matching(table.places, taxonomy, filters))


def _matching(places: Places, taxonomy: Taxonomy, filters: Filters) -> Ints:
    """Return the places of all items that filters leave, in any order."""
    among: Any = slice(None)
    if filters.category:
        among = places.of_categories(below(taxonomy, filters.category))
    holds = []
    if filters.decision:
        holds.append(places.decision[among] == CODES[filters.decision])
    if filters.least is not None:
        holds.append(places.confidence[among] >= np.float32(filters.least / 100))
    if filters.most is not None:
        holds.append(places.confidence[among] <= np.float32(filters.most / 100))
    if filters.run:
        holds.append(places.run[among] == places.code_of_run(filters.run))
    if filters.since:
        holds.append(places.classified_at[among] >= _midnight(filters.since))
    if filters.until:
        day_after = filters.until + timedelta(days=1)
        holds.append(places.classified_at[among] < _midnight(day_after))
    if filters.error:
        holds.append(places.error[among] == places.code_of_error(filters.error))
    if not filters.category:
        every = np.ones(len(places.ids), bool) if not holds else np.logical_and.reduce(holds)
        return np.flatnonzero(every)
    found: Ints = among[np.logical_and.reduce(holds)] if holds else among
    return found


def _first(keys: Keys, places: Ints, most: int, *, backwards: bool) -> Ints:
    """Return the first places by their keys, then by themselves; or the last ones, backwards."""
    if backwards:
        keys, places = -keys, -places
    if len(keys) > most:
        near = keys <= np.partition(keys, most - 1)[most - 1]
        keys, places = keys[near], places[near]
    found: Ints = places[np.lexsort((places, keys))[:most]]
    return -found if backwards else found


def _midnight(day: date) -> int:
    """Return when a day begins here, in microseconds since 1970."""
    return int(datetime.combine(day, time.min).astimezone().timestamp()) * 1_000_000
