"""The first thing a reader sees: what needs a person, and how the run went."""

from collections.abc import Sequence
from dataclasses import dataclass

from lib.reports.changes import listed
from lib.reports.data import CategoryCount, ClassificationReport, PublishedReport
from lib.reports.formats import count, items, percent, share
from lib.reports.migration_data import MigrationReport
from lib.reports.scores import short_labels
from lib.runs.progress import duration, plural

MOSTLY_REVIEW = 0.5  # share of a run's items from which on its page is not green
FEWEST = 20  # a night of two items is not judged by one of them
NAMED = 3  # categories that the headline names
Link = tuple[str, str]  # a section's id, and the words of the link


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a run went.

    Attributes:
        tone: good, warn, bad or plain; sets its colour.
        word: the same in short.
        headline: what a person is to do, or is to know first.
        detail: the rest, in a sentence or two.
        links: to the sections where there is something to do.
    """

    tone: str
    word: str
    headline: str
    detail: str
    links: tuple[Link, ...] = ()


def classification_verdict(report: ClassificationReport) -> Verdict:
    """Say what needs a person and where, what was labelled, and whether it was published."""
    done = f"{count(report.labelled)} of {items(report.items)} labelled"
    if people := report.decisions.get("person", 0):
        done += f", {count(people)} of them decided by people"
    if not report.items:
        done = "There was no item to label"
    return _verdict(report, done, report.errors)


def migration_verdict(report: MigrationReport) -> Verdict:
    """Say what needs a person, what was moved and how, and whether it was published."""
    what = f"From taxonomy version {report.old_version} to {report.new_version}"
    if report.old_version == report.new_version:
        what = "Labelled anew by another head"
    done = (
        f"{what}: "
        f"{count(report.count('moved'))} of {items(report.items)} moved to another category, in "
        f"{duration(report.seconds)}"
    )
    if people := report.decisions.get("person", 0):
        done += f"; {count(people)} are as people have decided"
    return _verdict(report, done, 0)  # what was an error before is no news


def _verdict(report: PublishedReport, done: str, errors: int) -> Verdict:
    """Lead with what a person is to do, then say what was done."""
    tone, word, outcome = _publication(report)
    review = report.decisions.get("review", 0)
    if report.unpublished_because:
        return Verdict(
            tone=tone,
            word=word,
            headline="This run was not published, and needs you.",
            detail=f"{_capital(outcome)} {done}.",
            links=(("gates", "see its gates"),) if report.gates else (),
        )
    if report.published_version is None:
        return Verdict(tone=tone, word=word, headline=f"{done}.", detail=outcome)
    tone, word = _judge(tone, word, review + errors, report.items)
    return Verdict(
        tone=tone,
        word=word,
        headline=_needed(review, errors, report.categories),
        detail=f"{done}; {outcome}",
        links=_links(review, errors),
    )


def _needed(review: int, errors: int, categories: Sequence[CategoryCount]) -> str:
    """Say how many items need a person, and where most of them are."""
    if not review:
        if not errors:
            return "Nothing needs you."
        return f"{_errors(errors).capitalize()}; no label waits for a person."
    most = sorted(categories, key=lambda each: (-each.review, each.path))[:NAMED]
    names = short_labels([each.path for each in most])
    named = [
        f"{name} ({count(each.review)})"
        for name, each in zip(names, most, strict=True)
        if each.review
    ]
    mostly = "most of them in " if sum(each.review for each in most) < review else "in "
    return f"{items(review)} {'needs' if review == 1 else 'need'} you, {mostly}{listed(named)}."


def _links(review: int, errors: int) -> tuple[Link, ...]:
    links = []
    if review:
        links.append(("review", f"see the {items(review)} to decide"))
    if errors:
        links.append(("errors", f"see what could not be read ({count(errors)})"))
    return tuple(links)


def _errors(errors: int) -> str:
    return f"{plural(errors, 'image')} could not be read"


def _judge(tone: str, word: str, needed: int, whole: int) -> tuple[str, str]:
    """Tone a page down that is green though most of its items need a person."""
    if tone == "good" and needed > MOSTLY_REVIEW * max(whole, FEWEST):
        return "warn", f"{word}, but {percent(share(needed, whole))} of the items need a person"
    return tone, word


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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
