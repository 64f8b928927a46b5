"""What the report of a training shows, as plain data."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.evaluation.assessment import Share
from lib.evaluation.candidates import Candidate
from lib.evaluation.intervals import share
from lib.evaluation.results import Evaluation, ReliabilityBin
from lib.labels.promises import Claim
from lib.reasons import ErrorItem
from lib.reports.advice import Advice
from lib.reports.data import ContactSheet, RunReport, Thumbnail
from lib.training.history import EpochRecord

if TYPE_CHECKING:
    from lib.heads.learning_curve import Curve  # it needs torch

# share of the labels that are very likely wrong; where none was changed, it was up to 0.02
MANY_WRONG, LEAST_WRONG = 0.02, 3


@dataclass(frozen=True, kw_only=True)
class NamesFigures:
    """What names say beside images, on the held-out items that have both.

    Attributes:
        used: whether the bundle uses names.
        accuracies: of image alone, name alone and both.
        without_name: what is promised of items without a name.
        alone: what is promised of items whose image cannot be had.
    """

    used: bool
    accuracies: dict[str, Share]
    without_name: tuple[Claim, ...]
    alone: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class TrainingReport(RunReport):
    """A training run, with its evaluation on items that the model has not seen.

    Attributes:
        strategy: head or finetune.
        why: why that one, as a sentence.
        evaluated: on what, as 'out of fold, 10 folds of 100 items'.
        mistakes: by true category, the surest; `items` counts all mistakes there.
        suspicious: labels that are likely wrong, the likeliest first.
        suspicious_items: how many there are, shown or not.
        very_likely_wrong: how many of these the model gives next to no probability.
        advice: by category, the weakest first.
        growth: accuracy by the number of labels; None where it was not measured.
        dials: the recipe that was chosen, by name.
        adaptation: what an unlabelled catalog did, as a sentence.
        names: what the items' names say beside their images; None where too few have one.
        copies: what copies there are among the photos, as a sentence, or an empty text.
        first_bundle_s: seconds until the first bundle that could be used.
    """

    catalog: str
    taxonomy_version: str
    architecture: str
    weights: str
    workers: int
    train_items: int
    validation_items: int
    unusable: list[ErrorItem]
    seconds: float
    epochs: list[EpochRecord]
    evaluation: Evaluation
    temperature: float
    calibration_error_before: float
    calibration_error_after: float
    reliability: list[ReliabilityBin]
    coverage: float
    claims: tuple[Claim, ...]
    strategy: str = "finetune"
    why: str | None = None
    candidates: list[Candidate] = field(default_factory=list)
    evaluated: str = "held-out items"
    mistakes: list[ContactSheet] = field(default_factory=list)
    suspicious: list[Thumbnail] = field(default_factory=list)
    suspicious_items: int = 0
    very_likely_wrong: int = 0
    advice: list[Advice] = field(default_factory=list)
    growth: "Curve | None" = None
    dials: dict[str, str] = field(default_factory=dict)
    adaptation: str | None = None
    names: NamesFigures | None = None
    copies: str = ""
    first_bundle_s: float | None = None

    @property
    def accuracy(self) -> Share:
        """How many of the held-out items the model is right on."""
        right = sum(row[at] for at, row in enumerate(self.evaluation.confusion))
        items = self.evaluation.items
        return Share(part=right, whole=items, share=share(right, items))

    @property
    def labels_look_wrong(self) -> bool:
        """Whether more labels are very likely wrong than a model's mistakes explain."""
        return self.very_likely_wrong >= max(LEAST_WRONG, MANY_WRONG * self.evaluation.items)

    @property
    def guessing(self) -> float:
        """The accuracy of who always says the most frequent category."""
        most = max((sum(row) for row in self.evaluation.confusion), default=0)
        return most / max(self.evaluation.items, 1)
