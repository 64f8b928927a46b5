"""What the report of a backfill shows, as plain data."""

from dataclasses import dataclass, field

from lib.evaluation.results import Evaluation
from lib.labels.gates import GateResult
from lib.reports.data import CategoryCount, ContactSheet, Thumbnail


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Rows of one old category that became one new one; a path of None is an error's."""

    was: str | None
    becomes: str | None
    accepted: int
    parent: int
    review: int
    by_rule: bool
    confidence: float

    @property
    def items(self) -> int:
        """All of them."""
        return self.accepted + self.parent + self.review


@dataclass(frozen=True, kw_only=True)
class MigrationReport:
    """A backfill. `seconds` are of its last try; `evaluated_on` says which items are known."""

    run_id: str
    started_at: str
    finished_at: str
    labels_table: str
    base_version: int
    published_version: int | None
    unpublished_because: str | None
    old_version: str
    new_version: str
    old_bundle: str
    bundle: str
    bundle_digest: str
    engine: str
    items: int
    labelled: int
    errors: int
    by_rule: int
    by_model: int
    by_pixels: int
    decisions: dict[str, int]
    seconds: float
    threshold: float
    confidence_counts: list[int]
    flows: list[Flow]
    categories: list[CategoryCount]
    gates: list[GateResult]
    moved: list[ContactSheet]
    unexpected: list[Thumbnail]
    review: list[Thumbnail]
    evaluation: Evaluation | None
    evaluated_on: str
    facts: list[tuple[str, str]] = field(default_factory=list)
