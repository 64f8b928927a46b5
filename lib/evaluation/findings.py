"""`evaluation.json`: all that an evaluation has found, as plain data."""

from lib.config.config import Config
from lib.evaluation.assessment import Assessment, Decided
from lib.evaluation.paired import Comparison
from lib.evaluation.slices import Slice
from lib.labels.decisions import Decision
from lib.reasons import ErrorItem


class Findings(Config):
    """What an evaluation has found.

    Attributes:
        subject: what was evaluated: a bundle, or a labels table.
        version: of the labels table; None for a bundle.
        taxonomy_version: of the categories.
        catalog: where the labelled items are from.
        folds: how many, where a head was cross-validated in the place of the bundle's own.
        assessment: of the items that were answered.
        left_out: the items that were not, and why.
        trained_on: items that the bundle was trained on, as far as is known; of these a model is
            right more often than of others.
        target_precision: what the bundle promises of accepted items; None where nothing does.
        against: another bundle, and what it is on the same items.
        compared: the two, on the items that both have answered.
        slices: by the columns that were asked for.
    """

    subject: str
    version: int | None
    taxonomy_version: str
    catalog: str
    folds: int | None
    assessment: Assessment
    left_out: list[ErrorItem]
    trained_on: int = 0
    target_precision: float | None
    against: str | None = None
    against_assessment: Assessment | None = None
    compared: Comparison | None = None
    slices: list[Slice]

    @property
    def accepted(self) -> Decided | None:
        """What was accepted; None where no decisions were made."""
        made = {each.decision: each for each in self.assessment.decisions}
        return made.get(Decision.ACCEPT)

    @property
    def promise_broken(self) -> bool:
        """Whether accepted items are right less often than promised, and not by chance."""
        accepted, target = self.accepted, self.target_precision
        return accepted is not None and target is not None and accepted.right.share.high < target
