"""Gates before a run: how far its plan alone lets it move the table, whatever it classifies."""

from pathlib import Path
from typing import Final

import duckdb

from lib.config.config import Config
from lib.labels.gates import GatesConfig

Range = tuple[float, float]  # the least and the most
WOULD: Final = {
    "row_loss": "the table would lose {:.1%} of its rows",
    "mix_shift": "the category sizes would shift by {:.1%} at least",
}
SAID: Final = ("category_changes", "mix_shift")
ROUNDING = 1e-9  # what is refused is refused for certain


class Reach(Config):
    """The least and the most that a run can do to the table, as shares from 0 to 1.

    Each is measured as the gate of its name measures it.
    """

    rows: int  # of the table
    category_changes: Range
    mix_shift: Range
    row_loss: Range


def measure_reach(
    connection: duckdb.DuckDBPyConnection,
    labels: Path,
    plan: Path,
    removed: Path,
    row_loss: float,
) -> Reach:
    """Measure how far a run can move the table.

    Args:
        connection: does the work, in bounded memory.
        labels: Parquet of item_id and category_id of the table's rows.
        plan: Parquet of the items that are classified.
        removed: Parquet of the ids that the run takes out of the table.
        row_loss: by how much the table shrinks; it follows from the plan.
    """
    files = {"labels": str(labels), "plan": str(plan), "removed": str(removed)}
    (found,) = connection.execute(REACH, files).fetchall()
    rows, again, shift_least, shift_most = found
    return Reach(
        rows=rows,
        category_changes=(0.0, again / max(rows, 1)),
        mix_shift=(shift_least, shift_most),
        row_loss=(row_loss, row_loss),
    )


def refused_ahead(gates: GatesConfig, reach: Reach) -> str | None:
    """Say which gates will not let a run through, whatever it classifies; None where all may."""
    refusing = {}
    for name, would in WOULD.items():
        key, (least, _) = f"max_{name}", getattr(reach, name)
        limit = getattr(gates, key)
        if limit is not None and least > limit + ROUNDING and key not in gates.warn:
            refusing[key] = f"{would.format(least)}, gates.{key} allows {limit:.1%}"
    if not refusing:
        return None
    opened = " ".join(f"--set gates.{key}=1" for key in refusing)
    reasons = "; ".join(refusing.values())
    return f"{reasons}; nothing was classified. If that is as it should be, {opened} lets it"


def reach_sentences(gates: GatesConfig, reach: Reach) -> list[str]:
    """Say of the gates on what changes whether they can refuse a run."""
    sentences = []
    for name in SAID if reach.rows else ():
        key, (_, most) = f"max_{name}", getattr(reach, name)
        limit = getattr(gates, key)
        if limit is None:
            continue
        if most <= limit:
            sentences.append(f"gates.{key} cannot refuse: {most:.1%} at most, limit {limit:.1%}")
        else:
            warns = "; it only warns" if key in gates.warn else ""
            sentences.append(f"gates.{key} could reach {most:.1%}, limit {limit:.1%}{warns}")
    return sentences


# A category has the labels that stay at least, of as many as may be labelled then at most: that
# share is the least it can have. Sizes shift by what categories must gain, or can lose, at most.
REACH = """
    WITH touched AS (
        SELECT item_id, true AS again FROM read_parquet($plan)
        UNION ALL SELECT item_id, false FROM read_parquet($removed)
    ), sizes AS (
        SELECT category_id, count(*) AS was, count(*) FILTER (again) AS again,
               count(*) FILTER (again IS NULL) AS stay
        FROM read_parquet($labels) LEFT JOIN touched USING (item_id) GROUP BY 1
    ), labelled AS (
        SELECT * FROM sizes WHERE category_id IS NOT NULL
    ), sums AS (
        SELECT sum(was) AS was, sum(again) AS again,
               sum(stay) + (SELECT count(*) FROM read_parquet($plan)) AS becomes
        FROM labelled
    ), shares AS (
        SELECT l.was / s.was AS was, l.stay / greatest(s.becomes, 1) AS least
        FROM labelled l, sums s
    )
    SELECT (SELECT coalesce(sum(was), 0) FROM sizes)::BIGINT,
           coalesce((SELECT again FROM sums), 0)::BIGINT,
           coalesce(sum(greatest(least - was, 0)), 0)::DOUBLE,
           -- where no row of a table has a label, its first labels are measured as half
           coalesce(sum(greatest(was - least, 0)), 0.5 * (EXISTS (FROM sizes))::INT)::DOUBLE
    FROM shares"""
