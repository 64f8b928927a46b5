"""What a category is taken for: by the model's second choice, and by people who moved items."""

from collections.abc import Sequence

from lib.desk.label_rows import Row
from lib.desk.local_table import LocalTable


def confused_with(table: LocalTable, inside: Sequence[str], most: int) -> list[Row]:
    """Return the categories that come second where these come first, the most frequent first.

    Args:
        table: open.
        inside: ids of the category and of all below it, which are not confused with themselves.
        most: categories.

    Returns:
        Rows of `category_id`, `items`, and `probability`, the mean of the second choice.
    """
    query = """
        SELECT second AS category_id, sum(items)::BIGINT AS items,
            sum(probability) / sum(items) AS probability
        FROM second WHERE list_contains($inside, category_id)
            AND second IS NOT NULL AND NOT list_contains($inside, second)
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $most"""
    return table.rows(query, {"inside": list(inside), "most": most})


def moved(table: LocalTable, inside: Sequence[str], *, into: bool, most: int) -> list[Row]:
    """Return where people's answers moved items of a category, or from where into it.

    Args:
        table: open.
        inside: as `confused_with`.
        into: count those that came, not those that went.
        most: categories.

    Returns:
        Rows of `category_id`, None for none, and `items`.
    """
    here, there = ("category_id", "previous_category_id")
    if not into:
        here, there = there, here
    query = f"""
        SELECT {there} AS category_id, count(*) AS items FROM answers
        WHERE answer IN ('category', 'rejected') AND list_contains($inside, {here})
            AND ({there} IS NULL OR NOT list_contains($inside, {there}))
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $most"""  # noqa: S608  # our own column names
    return table.rows(query, {"inside": list(inside), "most": most})
