"""The first thing a reader sees: how the run went, in a sentence or two."""

from dataclasses import dataclass

from lib.reports.data import ClassificationReport, PublishedReport
from lib.reports.formats import count, items, percent, share
from lib.reports.migration_data import MigrationReport
from lib.runs.progress import duration


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a run went: `tone` (good, warn, bad, plain) sets its colour, `word` says it in short."""

    tone: str
    word: str
    headline: str
    detail: str


def classification_verdict(report: ClassificationReport) -> Verdict:
    """Say what was labelled and whether it was published."""
    tone, word, outcome = _publication(report)
    if report.items == 0:
        return Verdict(
            tone=tone,
            word=word,
            headline="There was no item to label.",
            detail=outcome[0].upper() + outcome[1:],
        )
    errors = "1 error" if report.errors == 1 else f"{count(report.errors)} errors"
    done = f"{count(report.labelled)} of {items(report.items)} labelled, {errors}"
    if report.labelled == 0:
        tone = "warn"
    return Verdict(
        tone=tone,
        word=word,
        headline=f"{done}; {outcome}" if report.published_version is not None else f"{done}.",
        detail=_readiness(report) if report.published_version is not None else outcome,
    )


def migration_verdict(report: MigrationReport) -> Verdict:
    """Say what was moved, how, and whether it was published."""
    tone, word, outcome = _publication(report)
    review = report.decisions.get("review", 0)
    routes = f"{count(report.by_rule)} by rule, {count(report.by_model)} by their embeddings"
    return Verdict(
        tone=tone,
        word=word,
        headline=f"{items(report.items)} moved from taxonomy version {report.old_version} to "
        f"{report.new_version} in {duration(report.seconds)}; {outcome}",
        detail=f"{routes}, {count(report.by_pixels)} by their images; {items(review)} "
        f"{'waits' if review == 1 else 'wait'} for a person.",
    )


def _publication(report: PublishedReport) -> tuple[str, str, str]:
    if report.published_version is not None:
        table = report.labels_table.rstrip("/").rsplit("/", 1)[-1] or report.labels_table
        said = f"published as version {count(report.published_version)} of {table}."
        if overruled := [each for each in report.gates if each.accepted]:
            named = ", ".join(each.meaning for each in overruled)
            return "warn", "Published all the same", f"{said} A person has accepted: {named}."
        return "good", "Published", said
    if report.unpublished_because:
        reason = report.unpublished_because.rstrip(". ")
        return "warn", "Not published", f"{reason}. The labels published before stay in place."
    return "plain", "Not published", "This run did not publish its labels."


def _readiness(report: ClassificationReport) -> str:
    if report.labelled == 0:
        return "No item got a label: read the error reasons below."
    review = report.decisions.get("review", 0)
    ready = report.labelled - review
    sure = f"{percent(share(ready, report.labelled))} of the labels can be used as they are"
    if review == 0:
        return f"{sure}; none waits for a person."
    return f"{sure}; {items(review)} {'waits' if review == 1 else 'wait'} for a person."
