"""A run in which nothing worked, for one reason: no gate lets it be published."""

import duckdb

from lib.reasons import MEANINGS, Reason

FEWEST = 2  # a single item says nothing about the others


def all_failed(connection: duckdb.DuckDBPyConnection) -> str | None:
    """After `measure_changes`: say so where each item of the run failed for one reason.

    Items that were errors before, and are tried again each night, are no news: without two others
    the run is as any. What a person has decided says nothing of an image that no model has seen.
    """
    found = connection.execute(
        """SELECT count(error), min(error),
                  count(error) FILTER (NOT known OR was IS NOT NULL)
           FROM run HAVING count(DISTINCT error) = 1 AND count(error) = count(*)
               - count(*) FILTER (decision = 'person' AND confidence IS NULL)"""
    ).fetchone()
    if found is None or found[2] < FEWEST:
        return None
    items, reason, _ = found
    return f"all {items:,} items failed for one reason, {reason}: {MEANINGS[Reason(reason)]}"
