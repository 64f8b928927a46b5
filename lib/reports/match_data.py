"""What the report of a match shows, as plain data, and the first thing that its reader sees."""

from dataclasses import dataclass

from lib.reports.formats import count, items
from lib.reports.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class Half:
    """One item of a pair: its picture where there is one, and what it is called."""

    item_id: str
    name: str | None
    jpeg: bytes | None
    link: str | None


@dataclass(frozen=True, kw_only=True)
class ShownPair:
    """A pair side by side; scores are from 0 to 1, or None where there is nothing to score."""

    left: Half
    right: Half
    final: float
    image: float | None
    name: float | None
    differs: list[str]


@dataclass(frozen=True, kw_only=True)
class MatchReport:
    """A match.

    Attributes:
        pairs: how many pairs each band has.
        matched: items of the left side by the band of their best pair.
        clusters: how many, and how many items they hold.
        limits: a sentence on what the bands rest on.
        promised: whether labelled pairs promise anything.
        refused: which gate refuses the run, or an empty text.
        surest: pairs that are the same, spread over their scores.
        doubtful: pairs to be reviewed, the highest score first.
        contradicting: pairs of high scores whose names contradict each other.
    """

    run_id: str
    started_at: str
    finished_at: str
    left: str
    right: str | None
    items: int
    errors: int
    pairs: dict[str, int]
    matched: dict[str, int]
    clusters: tuple[int, int]
    compared: str
    limits: str
    promised: bool
    refused: str
    surest: list[ShownPair]
    doubtful: list[ShownPair]
    contradicting: list[ShownPair]


def match_verdict(report: MatchReport) -> Verdict:
    """Say how many items have a match, and what waits for a person."""
    same, review = (report.matched.get(band, 0) for band in ("same", "review"))
    headline = f"{count(same)} of {items(report.items)} have a match"
    if review:
        headline += f", and {count(review)} wait for a person"
    limits = f"{report.limits[:1].upper()}{report.limits[1:]}."
    if report.refused:
        return Verdict(tone="bad", word="Refused", headline=f"{headline}.", detail=report.refused)
    if not report.promised:
        return Verdict(
            tone="warn", word="Nothing is promised", headline=f"{headline}.", detail=limits
        )
    return Verdict(tone="good", word="Matched", headline=f"{headline}.", detail=limits)


def match_facts(report: MatchReport) -> list[tuple[str, str]]:
    """Return the figures of a match with their labels."""
    clusters, inside = report.clusters
    return [
        ("items", count(report.items)),
        ("with nothing to compare", count(report.errors)),
        ("pairs that are the same", count(report.pairs.get("same", 0))),
        ("pairs to review", count(report.pairs.get("review", 0))),
        ("clusters", f"{count(clusters)}, of {items(inside)}"),
        ("compared by", report.compared),
    ]
