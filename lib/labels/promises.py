"""What is promised of labels that are accepted, and what held-out items say of the promise."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from lib.config.config import Config
from lib.labels.decisions import NEVER, Decision
from lib.taxonomy.ids import CategoryId


class Accept(Config):
    """Which share of the accepted labels should be right, and how surely.

    `strict` promises that share with that confidence. `balanced` reaches the share on the held-out
    items, by their labels and by their confidences, and promises 5 points less that surely.
    """

    precision: float = Field(default=0.95, gt=0, le=1)
    confidence: float = Field(default=0.9, gt=0, lt=1)
    mode: Literal["balanced", "strict"] = "balanced"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What held-out items say of one threshold.

    Attributes:
        group: the categories that share it, in words.
        category_ids: the same, as ids: leaves, or categories above them.
        threshold: the least confidence that is accepted; `NEVER` where nothing can be promised.
        items: held-out items that the group decides on.
        accepted: of these, how many reach the threshold.
        right: of the accepted, how many are.
        low: lower end of the exact interval of the precision, at the confidence of `Accept`.
        high: its upper end.
        needed: where nothing is accepted, how many held-out labels more would do; None where
            labels alone would not.
        decision: accept for leaves, parent for categories above them; a parent is tested on the
            items that are not accepted below it.
    """

    group: str
    category_ids: tuple[CategoryId, ...]
    threshold: float
    items: int
    accepted: int
    right: int
    low: float
    high: float
    needed: int | None = None
    decision: Decision = Decision.ACCEPT

    @property
    def is_kept(self) -> bool:
        """Whether anything can be promised."""
        return self.threshold < NEVER

    @property
    def coverage(self) -> float:
        """Share of the items that is accepted."""
        return self.accepted / max(self.items, 1)

    @property
    def count(self) -> str:
        """How many of the accepted are right, as in '12 of 12 (78 % to 100 %)'."""
        interval = f"{100 * self.low:.0f} % to {100 * self.high:.0f} %"
        return f"{self.right:,} of {self.accepted:,} ({interval})"

    @property
    def lack(self) -> str:
        """What keeps anything from being promised."""
        if not self.items:
            return "no held-out item comes this far"
        if self.needed is None:
            return f"of {self.items:,} held-out items even the surest are wrong too often"
        return f"{self.items:,} held-out items are too few, about {self.needed:,} more would do"

    @property
    def sentence(self) -> str:
        """The claim with its count and its interval, or what is missing for one."""
        if self.is_kept:
            return (
                f"{self.group}: a confidence of {self.threshold:.2f} or more accepts "
                f"{self.accepted:,} of {self.items:,} held-out items; right are {self.count}"
            )
        if self.decision == Decision.PARENT and not self.items:
            return f"{self.group}: no held-out item had to fall back to these"
        return f"{self.group}: nothing is accepted; {self.lack}"
