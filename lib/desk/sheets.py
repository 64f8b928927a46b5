"""Sheets of items: those that filters leave, a page at a time."""

from dataclasses import dataclass, replace

from lib.desk.filters import Filters, below
from lib.desk.local_table import LocalTable, Row
from lib.taxonomy.taxonomy import Taxonomy

PAGE = 60
COUNTED = {"category", "decision"}  # filters whose items are counted already
# what a page is sorted by, before the place in the table; an item without a confidence comes last.
# It is the model's, which answers do not change: what is decided moves nothing to another page.
_KEYS = {
    "doubtful": "coalesce(confidence, 2)",
    "sure": "coalesce(-confidence, 2)",
    "item": "item_id",  # nothing comes before it
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
    conditions, values = filters.conditions(taxonomy)
    backwards = bool(filters.before)
    mark = filters.before or filters.after
    key = _KEYS[filters.order]
    sign, way = ("<", "DESC") if backwards else (">", "ASC")
    found = _found(table, key, mark) if mark else None
    if found is not None:
        conditions.append(f"({key} {sign} $key OR ({key} = $key AND place {sign} $place))")
        values |= found
    elif mark:  # it left the table: begin again
        return find_sheet(table, taxonomy, replace(filters, after="", before=""), size)
    where = " AND ".join(["true", *conditions])
    query = (
        f"SELECT item_id FROM sheets WHERE {where} "  # noqa: S608  # our own words; values are apart
        f"ORDER BY {key} {way}, place {way} LIMIT {size + 1}"
    )
    ids = [row["item_id"] for row in table.rows(query, values)]
    more, ids = len(ids) > size, ids[:size]
    if backwards:
        ids.reverse()
    later = more or backwards
    earlier = more if backwards else found is not None
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
    conditions, values = filters.conditions(taxonomy)
    where = " AND ".join(["true", *conditions])
    query = f"SELECT count(*) AS items FROM sheets WHERE {where}"  # noqa: S608  # as above
    return int(table.rows(query, values)[0]["items"])


def _found(table: LocalTable, key: str, item_id: str) -> dict[str, object] | None:
    query = f"SELECT {key} AS key, rowid AS place FROM labels WHERE item_id = $id"  # noqa: S608  # as above
    found = table.rows(query, {"id": item_id})
    return dict(found[0]) if found else None
