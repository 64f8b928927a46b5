"""Gates: what a run must keep to be published, measured before anything is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import Field

from lib.config.config import Config
from lib.errors import InputError

FEWEST_ITEMS = 100


GateKey = Literal[
    "max_error_rate",
    "max_category_changes",
    "max_mix_shift",
    "max_review_share",
    "max_row_loss",
    "max_drift",
]


class GatesConfig(Config):
    """Limits, as shares from 0 to 1; null leaves a gate open."""

    max_error_rate: float | None = Field(default=0.05, ge=0, le=1)
    max_category_changes: float | None = Field(default=0.2, ge=0, le=1)
    max_mix_shift: float | None = Field(default=0.2, ge=0, le=1)
    max_review_share: float | None = Field(default=None, ge=0, le=1)
    max_row_loss: float | None = Field(default=0.2, ge=0, le=1)
    max_drift: float | None = Field(default=None, ge=0, le=1)
    warn: tuple[GateKey, ...] = ()  # these say so, and refuse nothing


class Measured(Config):
    """What a run would do to the table, as shares from 0 to 1."""

    error_rate: float  # errors of the items that were classified
    review_share: float  # items for review, of those that got a label of the model
    category_changes: float  # items of the table whose category the model makes another
    mix_shift: float  # total variation distance of the category sizes before and after
    row_loss: float  # by how much the table shrinks
    drift: float | None = None  # from what came before; None where it was not judged


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """What a person lets pass in spite of its gates.

    Attributes:
        gates: their keys.
        reason: why.
        by: who.
    """

    gates: tuple[str, ...]
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One gate: a share from 0 to 1, and the limit it is compared with, or None.

    Attributes:
        key: its key in the run file.
        meaning: what the share is of.
        value: the share.
        limit: the most that it may be, or None.
        passed: whether it is no more.
        warns: whether it only warns.
        accepted: by whom, and why, though it failed; None where nobody did.
    """

    key: str
    meaning: str
    value: float
    limit: float | None
    passed: bool
    warns: bool = False
    accepted: Acceptance | None = None

    @property
    def refuses(self) -> bool:
        """Whether the run must not be published."""
        return not (self.passed or self.warns or self.accepted)

    @property
    def result(self) -> str:
        """How it went, in a few words."""
        if self.passed:
            return "passed"
        if self.accepted:
            return f"failed; accepted by {self.accepted.by}: {self.accepted.reason}"
        return "failed; it only warns" if self.warns else "failed"

    @property
    def sentence(self) -> str:
        """What was measured, and what would be let through."""
        limit = "any" if self.limit is None else f"{self.limit:.1%}"
        return f"{self.meaning}: {self.value:.1%}, gates.{self.key} allows {limit}"


MEANINGS = {
    "error_rate": "items that are errors",
    "category_changes": "items of the table whose category changes",
    "mix_shift": "shift of the category sizes",
    "review_share": "labelled items that go to review",
    "row_loss": "loss of rows of the table",
    "drift": "items that do not fit what came before them",
}


def measure_changes(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[Path], before: Path, removed: Path
) -> Measured:
    """Measure a run against the table that it is to change.

    What people have decided is as they want it: to the gates, such a row has always been so.

    Args:
        connection: does the work, in bounded memory.
        rows: the run's labels, as local Parquet files.
        before: item_id, category_id and category_path of the table's rows; without rows where
            there is no table.
        removed: the ids that the run takes out of the table.
    """
    views = {"labels": rows, "before": [before], "removed": [removed]}
    for name, paths in views.items():
        relation = connection.read_parquet([str(path) for path in paths])
        relation.create_view(name, replace=True)
    connection.execute(RUN)
    items, errors, people, reviews, added, changed = _one(
        connection,
        """SELECT count(*), count(error), count(*) FILTER (decision = 'person'),
                  count(*) FILTER (decision = 'review'), count(*) FILTER (NOT known),
                  count(*) FILTER (was <> category_id)
           FROM run""",
    )
    (rows_before,) = _one(connection, "SELECT count(*) FROM before")
    (rows_removed,) = _one(connection, "SELECT count(*) FROM removed")
    (mix_shift,) = _one(connection, MIX_SHIFT)
    return Measured(
        # a night of two images is not stopped by a broken one: a hundred items at least are held
        # against the limit, or as many as the table has
        error_rate=errors / max(items, min(FEWEST_ITEMS, rows_before), 1),
        review_share=reviews / max(items - errors - people, 1),
        category_changes=changed / max(rows_before, 1),
        mix_shift=mix_shift if rows_before else 0.0,
        row_loss=max(rows_removed - added, 0) / max(rows_before, 1),
    )


def judge(
    config: GatesConfig, measured: Measured, accepted: Acceptance | None = None
) -> list[GateResult]:
    """Compare what was measured with the limits; what could not be measured passes.

    Raises:
        InputError: a gate is to be accepted that has let the run through.
    """
    results = []
    for name, value in measured:
        if value is None:
            continue
        key = f"max_{name}"
        limit = getattr(config, key)
        passed = limit is None or value <= limit
        results.append(
            GateResult(
                key=key,
                meaning=MEANINGS[name],
                value=value,
                limit=limit,
                passed=passed,
                warns=key in config.warn,
                accepted=accepted if accepted and key in accepted.gates else None,
            )
        )
    failed = [each.key for each in results if not each.passed]
    for key in accepted.gates if accepted else ():
        if key not in failed:
            raise InputError(
                f"'{key}' lets this run through and need not be accepted; "
                + (f"what it fails: {', '.join(failed)}" if failed else "it fails none")
            )
    return results


RUN = """CREATE OR REPLACE TEMP TABLE run AS
    SELECT l.item_id, l.uri, l.category_id, l.category_path, l.confidence, l.decision,
           l.error, b.item_id IS NOT NULL AS known,
           CASE WHEN b.item_id IS NOT NULL AND l.decision = 'person' THEN l.category_id
                ELSE b.category_id END AS was,
           b.category_path AS was_path
    FROM labels l LEFT JOIN before b USING (item_id)"""
# half the sum of the differences of shares, 0 where sizes keep their proportions
MIX_SHIFT = """
    WITH sizes AS (
        SELECT category_id, count(*) AS was, count(*) AS becomes FROM before
        WHERE category_id IS NOT NULL GROUP BY 1
        UNION ALL SELECT category_id, 0, -count(*) FROM before SEMI JOIN removed USING (item_id)
        WHERE category_id IS NOT NULL GROUP BY 1
        UNION ALL SELECT was, 0, -count(*) FROM run WHERE was IS NOT NULL GROUP BY 1
        UNION ALL SELECT category_id, 0, count(*) FROM run WHERE category_id IS NOT NULL GROUP BY 1
    ), summed AS (
        SELECT category_id, sum(was) AS was, sum(becomes) AS becomes FROM sizes GROUP BY 1
    )
    SELECT coalesce(sum(abs(
        was / greatest((SELECT sum(was) FROM summed), 1)
        - becomes / greatest((SELECT sum(becomes) FROM summed), 1))) / 2, 0) FROM summed"""


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    (row,) = connection.execute(query).fetchall()
    found: tuple[Any, ...] = row
    return found
