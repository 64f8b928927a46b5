"""What the report of a backfill shows, as plain data."""

from dataclasses import dataclass, field
from typing import Literal

from lib.reports.data import ContactSheet, PublishedReport, Thumbnail


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Rows of one old category that became one new one.

    Attributes:
        was: path of the old one; None is an error's.
        becomes: path of the new one.
        kind: moved to another category, labelled anew in place, or unchanged.
        why: in a few words.
        accepted: rows by decision; these, `parent`, `review` and `person`.
        by_rule: whether a rule or the model has decided.
        confidence: the mean.
    """

    was: str | None
    becomes: str | None
    kind: Literal["moved", "in place", "unchanged"]
    why: str
    accepted: int
    parent: int
    review: int
    by_rule: bool
    confidence: float
    person: int = 0

    @property
    def items(self) -> int:
        """All of them."""
        return self.accepted + self.parent + self.review + self.person


@dataclass(frozen=True, kw_only=True)
class MigrationReport(PublishedReport):
    """A backfill. `seconds` are of its last try; `evaluated_on` says which items are known."""

    base_version: int
    old_version: str
    new_version: str
    old_bundle: str
    routes: str
    seconds: float
    flows: list[Flow]
    moved: list[ContactSheet]
    unexpected: list[Thumbnail]
    review: list[Thumbnail]
    evaluated_on: str
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        """Rows that people have found to be in no category."""
        return self.labelled - sum(flow.items for flow in self.flows)

    def count(self, kind: str) -> int:
        """Rows whose flow is of a kind."""
        return sum(flow.items for flow in self.flows if flow.kind == kind)
