"""What a report shows, as plain data: collected by the pipelines, drawn by this package."""

from dataclasses import dataclass, field

from lib.drift.comparison import Drift
from lib.evaluation.results import Evaluation
from lib.labels.gates import GateResult
from lib.reasons import ErrorItem


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One small picture with its caption; `jpeg` is None where the image cannot be shown."""

    jpeg: bytes | None
    item_id: str
    name: str | None
    category: str
    confidence: float


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
    mean_confidence: float


@dataclass(frozen=True, kw_only=True)
class ErrorReason:
    """One reason code, what it means, and how many items have it."""

    code: str
    meaning: str
    items: int


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
    """A classification run. `stages` holds seconds, summed over the run's threads."""

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
    retries: int = 0
    moves: list[Thumbnail] = field(default_factory=list)
    cost: str | None = None  # a sentence; None where the run file gives no prices
    drift: Drift | None = None  # None where an older version has classified
    unfamiliar: list[Thumbnail] = field(default_factory=list)
