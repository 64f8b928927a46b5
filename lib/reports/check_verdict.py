"""The first thing that a reader of a check sees: whether to train, and what to look at before."""

from lib.reports.check_data import CheckReport
from lib.reports.formats import count, items
from lib.reports.verdicts import Verdict

SERIOUS = ("two_labels", "leak", "wrong_label", "few")
NAMED = 4


def check_verdict(report: CheckReport) -> Verdict:
    """Say what was found, the worst first."""
    if not report.found:
        return Verdict(
            tone="good",
            word="Nothing found",
            headline=f"Nothing looks wrong with these {items(report.items)}.",
            detail="They are ready to train on.",
        )
    serious = [each for each in report.found if each.kind in SERIOUS]
    named = ", ".join(f"{each.title.lower()}: {count(each.items)}" for each in report.found[:NAMED])
    return Verdict(
        tone="warn" if serious or report.usable < report.items else "good",
        word="Look before you train" if serious else "Some findings",
        headline=f"{named[0].upper()}{named[1:]}.",
        detail=f"{count(report.usable)} of {items(report.items)} can be trained on. Nothing was "
        "changed; correct what is wrong in the catalog, then train.",
        links=tuple((each.kind, each.title) for each in report.found),
    )
