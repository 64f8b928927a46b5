"""What a bundle says of one image, for people and for programs."""

from dataclasses import dataclass
from typing import Any

from lib.labels.decisions import Decision
from lib.reasons import ItemError
from lib.runs.progress import plural

_MEANINGS = {
    Decision.ACCEPT: "accepted",
    Decision.PARENT: "sure of this category above the likeliest",
    Decision.REVIEW: "for review",
}


@dataclass(frozen=True, kw_only=True)
class Likely:
    """A leaf of the taxonomy, and how likely an image is of it."""

    category_id: str
    category_path: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A labelled item that an image looks like.

    Attributes:
        item_id: of the item.
        uri: of its image.
        category_id: of its label.
        category_path: of the label.
        similarity: cosine of the embeddings, -1 to 1.
    """

    item_id: str
    uri: str
    category_id: str
    category_path: str
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a bundle says of one image, or why it says nothing.

    Attributes:
        uri: the image's.
        category_id: what it is decided to be; for review, the likeliest leaf.
        category_path: of the category.
        confidence: the category's calibrated probability.
        decision: as in a labels table.
        leaves: all of the taxonomy's, the likeliest first.
        nearest: labelled items, the nearest first; none where they were not asked for.
        error: why the image cannot be classified.
    """

    uri: str
    category_id: str | None = None
    category_path: str | None = None
    confidence: float | None = None
    decision: Decision = Decision.ERROR
    leaves: tuple[Likely, ...] = ()
    nearest: tuple[Neighbour, ...] = ()
    error: ItemError | None = None

    @property
    def problem(self) -> str:
        """Why the image cannot be classified, with its name; an empty text where it can."""
        if self.error is None:
            return ""
        named = self.uri and self.uri in self.error.detail
        return self.error.detail if named else f"{self.uri or repr('')}: {self.error.detail}"

    def lines(self, top: int) -> list[str]:
        """Return lines for a terminal: the decision, the likeliest leaves, the nearest items.

        Args:
            top: leaves to show.
        """
        if self.error or self.confidence is None:
            return [self.problem]
        rest, others = sum(leaf.probability for leaf in self.leaves[top:]), len(self.leaves) - top
        return [
            f"{self.uri}: {self.category_path}, {self.confidence:.1%}, {_MEANINGS[self.decision]}",
            *(f"  {leaf.probability:>6.1%}  {leaf.category_path}" for leaf in self.leaves[:top]),
            *([f"  {rest:>6.1%}  {plural(others, 'other')}"] if others > 0 else []),
            *(["  nearest, by the cosine of their embeddings:"] if self.nearest else []),
            *(f"    {n.similarity:.3f}  {n.item_id}, {n.category_path}" for n in self.nearest),
        ]

    def to_json(self, top: int) -> dict[str, Any]:
        """Return what can be written as JSON; names are those of a labels table.

        Args:
            top: leaves to name.
        """
        return {
            "uri": self.uri,
            "category_id": self.category_id,
            "category_path": self.category_path,
            "confidence": self.confidence,
            "decision": str(self.decision),
            "top_k": [
                {"category_id": leaf.category_id, "probability": leaf.probability}
                for leaf in self.leaves[:top]
            ],
            "nearest": [
                {
                    "item_id": each.item_id,
                    "uri": each.uri,
                    "category_id": each.category_id,
                    "similarity": each.similarity,
                }
                for each in self.nearest
            ],
            "error": self.error and str(self.error.reason),
            "error_detail": self.error and self.error.detail,
        }
