"""What a report shows, as plain data: collected by the pipelines, drawn by this package."""

from dataclasses import dataclass, field

from lib.drift.comparison import Drift
from lib.evaluation.results import Evaluation
from lib.labels.gates import GateResult
from lib.reasons import ErrorItem


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One small picture with its caption.

    Attributes:
        jpeg: None where the image cannot be shown.
        item_id: the whole of it.
        name: of the item, or None.
        category: what the item is called.
        confidence: in that, from 0 to 1; None where nobody was asked.
        for_review: whether a person is to look at it.
        other: what else it is or may be, in a few words, or None.
        other_confidence: in that, or None.
        link: where a browser finds the image, or None.
    """

    jpeg: bytes | None
    item_id: str
    name: str | None
    category: str
    confidence: float | None
    for_review: bool = False
    other: str | None = None
    other_confidence: float | None = None
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class ContactSheet:
    """Some items of one category."""

    category: str
    items: int
    thumbnails: list[Thumbnail]


@dataclass(frozen=True, kw_only=True)
class CategoryCount:
    """How many items one category has in the run, by decision."""

    category_id: str
    path: str
    accepted: int
    parent: int
    review: int
    person: int = 0
    mean_confidence: float  # of the model's labels; not a number where people have made all

    @property
    def items(self) -> int:
        """All of them."""
        return self.accepted + self.parent + self.review + self.person


@dataclass(frozen=True, kw_only=True)
class ErrorReason:
    """One reason code, what it means, and how many items have it."""

    code: str
    meaning: str
    items: int


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How many items of one category have become another's."""

    was: str
    becomes: str
    items: int


@dataclass(frozen=True, kw_only=True)
class NightFigures:
    """A night in a few figures: counts, and shares from 0 to 1; None where one is not known."""

    items: int
    review: int
    errors: int
    category_changes: float | None
    drift: float | None
    people: int = 0  # items that people have decided


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What every report says of its run."""

    run_id: str
    started_at: str
    finished_at: str
    bundle: str
    bundle_digest: str
    threshold: float


@dataclass(frozen=True, kw_only=True)
class PublishedReport(RunReport):
    """What the report of a run says that was to be published."""

    labels_table: str
    published_version: int | None
    unpublished_because: str | None
    engine: str
    items: int
    labelled: int
    errors: int
    decisions: dict[str, int]
    confidence_counts: list[int]
    categories: list[CategoryCount]
    evaluation: Evaluation | None
    gates: list[GateResult] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ClassificationReport(PublishedReport):
    """A classification run.

    Attributes:
        stages: seconds, summed over the run's threads.
        least_sure: of the items that wait for a person.
        diff: how many items are what, compared with the night before.
        left_out: a sentence on what lies in the catalog's place and is no item, or an empty text.
        moves: items whose category changes.
        moved: from where to where most of these go.
        nights: this night and those before, the oldest first.
        cost: a sentence; None where the run file gives no prices.
        drift: None where an older version has classified.
    """

    catalog: str
    taxonomy_version: str
    bytes_fetched: int
    wall_s: float
    images_per_s: float
    stages: dict[str, float]
    error_reasons: list[ErrorReason]
    error_items: list[ErrorItem]
    sheets: list[ContactSheet]
    least_sure: list[Thumbnail]
    diff: dict[str, int] = field(default_factory=dict)
    left_out: str = ""
    retries: int = 0
    moves: list[Thumbnail] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    nights: list[NightFigures] = field(default_factory=list)
    cost: str | None = None
    drift: Drift | None = None
    unfamiliar: list[Thumbnail] = field(default_factory=list)
