"""A head that was fitted: whether it is better, what it promises, what it would change."""

from dataclasses import asdict, dataclass
from typing import Any

from lib.evaluation.intervals import Estimate
from lib.evaluation.paired import Comparison
from lib.models.bundle import Bundle
from lib.review.teach import Taught
from lib.runs.progress import plural
from pipelines.review_changes import Changes


@dataclass(frozen=True, kw_only=True)
class HeadFit:
    """A head that was fitted, and what it would do.

    Attributes:
        bundle: the new bundle.
        taught: answers among the labelled items.
        items: labelled items that it was fitted on.
        without_embedding: labelled items that were left out.
        recipe: how it was fitted, in words.
        before: share of the compared items that the old bundle is right about.
        after: the same of the new one; each by a head that has not seen the item.
        comparison: of the two, or None where there is no item that neither has seen.
        changes: what would become of the labels table.
        seconds: that all took.
    """

    bundle: Bundle
    taught: Taught
    items: int
    without_embedding: int
    recipe: str
    before: Estimate
    after: Estimate
    comparison: Comparison | None
    changes: Changes
    seconds: float

    @property
    def sentences(self) -> list[str]:
        """Say to a person whether it is better, what it promises, and what it would change."""
        said = ["no held-out item can be compared: the old head was fitted on all of them"]
        if found := self.comparison:
            shares = f"{self.before.value:.1%} right before, {self.after.value:.1%} after"
            said = [
                f"held out: {shares}, of {found.items:,} items",
                found.sentence("the new head", "the old head"),
            ]
        promises = [claim.sentence for claim in self.bundle.info.claims_in_use]
        moves = [
            f"  {was or 'no category'} to {becomes or 'no category'}: {rows:,}"
            for was, becomes, rows in self.changes.moved[:10]
        ]
        more = len(self.changes.moved) - len(moves)
        rest = [f"  and {plural(more, 'other move')}"] if more > 0 else []
        return [*said, *promises, *self.changes.sentences, *moves, *rest]

    def to_json(self) -> dict[str, Any]:
        """What a program is told of it."""
        return {
            "bundle": self.bundle.uri,
            "bundle_digest": self.bundle.digest,
            "answers": self.taught.used,
            "rejected": self.taught.rejected,
            "items": self.items,
            "without_embedding": self.without_embedding,
            "recipe": self.recipe,
            "before": self.before.value if self.comparison else None,
            "after": self.after.value if self.comparison else None,
            "comparison": asdict(self.comparison) if self.comparison else None,
            "changes": self.changes.to_json(),
            "seconds": round(self.seconds, 2),
        }
