"""The promise checked in the field: accepted items, drawn at random and answered blind."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from lib.evaluation.intervals import Estimate, share
from lib.labels.annotations import Answer
from lib.labels.decisions import Decision
from lib.sql import open_duckdb, read_rows

AUDIT = "audit"  # the value of `why` of an answer that was given blind
EVERY = "all"  # categories, or weeks
KEY = ("item_id", "etag", "uri")
# the newest blind answer of each image in each version, unless it was taken back right after
ANSWERED = f"""
    SELECT * FROM (SELECT *, lead(answer) OVER (
        PARTITION BY item_id, coalesce(etag, uri), taxonomy_version ORDER BY "at", annotation_id
    ) AS next_answer FROM annotations)
    WHERE why = '{AUDIT}' AND answer IN ('{Answer.CATEGORY}', '{Answer.REJECTED}')
    AND next_answer IS DISTINCT FROM '{Answer.WITHDRAWN}'
    QUALIFY row_number() OVER (
        PARTITION BY item_id, coalesce(etag, uri), taxonomy_version
        ORDER BY "at" DESC, annotation_id DESC
    ) = 1 ORDER BY "at", annotation_id"""  # noqa: S608  # our own words


def week_of(day: date) -> str:
    """Return the week of a day as ISO 8601 names it, such as 2026-W48."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def blind_answers(annotations: pa.Table) -> pa.Table:
    """Return the answers that were given blind, one of each image in each taxonomy version.

    Args:
        annotations: of `ANNOTATIONS_SCHEMA`.

    Returns:
        Of `ANNOTATIONS_SCHEMA`, the earliest first.
    """
    with open_duckdb() as connection:
        connection.register("annotations", annotations)
        found = read_rows(connection, ANSWERED, {}).read_all()
    return found.select(annotations.column_names).cast(annotations.schema)


def draw_sample(labels: pa.Table, annotations: pa.Table, week: str, count: int) -> pa.Table:
    """Draw the accepted items that a week's audit still has to ask about.

    The draw is simple random sampling: each accepted item has a number made of the week and its
    id, and the least are taken. So a week has the same items whoever asks and when; what was
    answered this week counts, and what was audited before gives its place to the next.

    Args:
        labels: items, with the columns item_id, uri, etag and decision at least.
        annotations: of `ANNOTATIONS_SCHEMA`, the answers so far.
        week: as `week_of` gives it.
        count: of a week.

    Returns:
        Rows of `labels` in the order in which they are asked; with those that were answered this
        week, `count` at most.
    """
    audited = blind_answers(annotations)
    this_week = {
        (row["item_id"], row["etag"] or row["uri"])
        for row in audited.select([*KEY, "at"]).to_pylist()
        if week_of(row["at"]) == week
    }
    rows = pa.array(range(labels.num_rows), pa.int64())
    query = """
        SELECT row FROM labels l WHERE decision = $accept AND NOT EXISTS (
            SELECT 1 FROM audited a WHERE a.item_id = l.item_id
            AND coalesce(a.etag, a.uri) = coalesce(l.etag, l.uri))
        ORDER BY md5(concat($week, ':', item_id)), item_id LIMIT $left"""
    left = max(count - len(this_week), 0)
    with open_duckdb() as connection:
        numbered = labels.select([*KEY, "decision"]).append_column("row", rows)
        connection.register("labels", numbered)
        connection.register("audited", audited.select(KEY))
        values: dict[str, object] = {"accept": str(Decision.ACCEPT), "week": week, "left": left}
        found = read_rows(connection, query, values).read_all()
    return labels.take(found["row"].combine_chunks())


@dataclass(frozen=True, kw_only=True)
class Audited:
    """How often accepted labels are right, as people say who did not see them.

    Attributes:
        category_id: that they were accepted as, or `EVERY`.
        week: of the answers, or `EVERY`.
        right: answers that agree.
        items: answers in all.
        precision: with its exact 95 % interval; not a number of no answers.
    """

    category_id: str
    week: str
    right: int
    items: int
    precision: Estimate

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        if not self.items:
            return "no accepted item has been audited yet"
        low, high = self.precision.low, self.precision.high
        return (
            f"{self.right:,} of {self.items:,} accepted items are right: "
            f"{self.precision.value:.1%} (95 % interval {low:.1%} to {high:.1%})"
        )


@dataclass(frozen=True, kw_only=True)
class AuditFigures:
    """The true precision of accepted labels.

    Attributes:
        whole: of all that was audited.
        by_category: of each category that was audited, in the order of its id.
        by_week: of each week, the earliest first.
    """

    whole: Audited
    by_category: list[Audited]
    by_week: list[Audited]


def audit_figures(annotations: pa.Table, taxonomy_version: str) -> AuditFigures:
    """Measure the true precision of accepted labels: the share that blind answers agree with.

    An item that was rejected was labelled wrongly. What was asked about another decision than
    `accept` says nothing of it.

    Args:
        annotations: of `ANNOTATIONS_SCHEMA`.
        taxonomy_version: that the answers are in.
    """
    whole: list[bool] = []
    categories: dict[str, list[bool]] = defaultdict(list)
    weeks: dict[str, list[bool]] = defaultdict(list)
    for row in blind_answers(annotations).to_pylist():
        was = row["previous_category_id"]
        if (
            row["taxonomy_version"] == taxonomy_version
            and row["previous_decision"] == Decision.ACCEPT
        ):
            right = row["category_id"] == was
            for group in (whole, categories[was], weeks[week_of(row["at"])]):
                group.append(right)
    return AuditFigures(
        whole=_measure(whole),
        by_category=[_measure(categories[each], category=each) for each in sorted(categories)],
        by_week=[_measure(weeks[each], week=each) for each in sorted(weeks)],
    )


def _measure(answers: list[bool], category: str = EVERY, week: str = EVERY) -> Audited:
    right, items = sum(answers), len(answers)
    precision = share(right, items)
    return Audited(category_id=category, week=week, right=right, items=items, precision=precision)
