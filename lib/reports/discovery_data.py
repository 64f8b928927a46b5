"""What the report of a discovery shows, as plain data."""

from dataclasses import dataclass

from lib.reports.data import ContactSheet
from lib.reports.formats import count, items
from lib.reports.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class DiscoveryReport:
    """Groups that were found among items.

    Attributes:
        run_id: of the discovery.
        started_at: in ISO 8601.
        finished_at: the same.
        catalog: where the items are from.
        labels_table: whose categories the items do not fit; None where none is given.
        items: how many were divided into groups.
        looked_at: how many were looked at for that.
        sheets: the most central photos of each group, the largest group first.
        words: that set the titles of each group apart; empty where there are no titles.
        taxonomy_file: the draft.
        labels_file: its labels.
    """

    run_id: str
    started_at: str
    finished_at: str
    catalog: str
    labels_table: str | None
    items: int
    looked_at: int
    sheets: list[ContactSheet]
    words: list[str]
    taxonomy_file: str
    labels_file: str


def discovery_verdict(report: DiscoveryReport) -> Verdict:
    """Say what was found, and what to do with it."""
    groups = f"{count(len(report.sheets))} {'group' if len(report.sheets) == 1 else 'groups'}"
    if report.labels_table is None:
        headline = f"{items(report.items)} in {groups}."
    elif report.items:
        fit = f"{items(report.items)} of {count(report.looked_at)} fit no category"
        headline = f"{fit}: {groups} that may be new ones."
    else:
        return Verdict(
            tone="good",
            word="Nothing new",
            headline=f"None of {items(report.looked_at)} is far from all categories.",
            detail="No new category is proposed.",
        )
    return Verdict(
        tone="plain",
        word="A draft",
        headline=headline,
        detail="Rename, merge and remove groups in the draft taxonomy, correct the labels, "
        "then train on them.",
    )
