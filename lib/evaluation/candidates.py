"""A way to train that was tried, and how it did, as plain data."""

from dataclasses import dataclass

from lib.evaluation.assessment import Share
from lib.evaluation.intervals import share


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to train, and how it did.

    Attributes:
        name: what it is, in words.
        strategy: head or finetune.
        right: of the items that judge it, how many it is right about.
        items: how many judge it; 0 where it was not trained.
        seconds: that it took.
        chosen: whether the bundle is of it.
        why: a sentence.
    """

    name: str
    strategy: str
    right: int
    items: int
    seconds: float
    chosen: bool
    why: str

    @property
    def accuracy(self) -> Share:
        """What it is right about."""
        return Share(part=self.right, whole=self.items, share=share(self.right, self.items))
