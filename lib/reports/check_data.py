"""What the report of a check shows, as plain data."""

from dataclasses import dataclass

from lib.reports.data import ContactSheet, Thumbnail


@dataclass(frozen=True, kw_only=True)
class FindingsShown:
    """The findings of one kind.

    Attributes:
        kind: as in the file of findings.
        title: of the section.
        meaning: what it is and what to do about it, for a person.
        items: how many findings there are, shown or not.
        sheets: pairs of photos, each with its caption.
        pictures: photos that stand for themselves.
        sentences: findings without a photo.
    """

    kind: str
    title: str
    meaning: str
    items: int
    sheets: list[ContactSheet]
    pictures: list[Thumbnail]
    sentences: list[str]


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A check of labelled items.

    Attributes:
        run_id: of the check.
        started_at: in ISO 8601.
        finished_at: the same.
        catalog: where the items are from.
        taxonomy_version: of the labels.
        architecture: of the network that compared them.
        items: how many were checked.
        usable: how many can be trained on.
        findings_file: where all findings are.
        found: those of each kind that was found, the worst first.
    """

    run_id: str
    started_at: str
    finished_at: str
    catalog: str
    taxonomy_version: str
    architecture: str
    items: int
    usable: int
    findings_file: str
    found: list[FindingsShown]
