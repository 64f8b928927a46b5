"""What the page of a tagging shows."""

from dataclasses import dataclass

from lib.reports.data import Thumbnail
from lib.reports.formats import items, percent
from lib.reports.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class TagSheet:
    """One tag.

    Attributes:
        tag: its name.
        sentence: what was found.
        accepted: items.
        review: items that a person may look at.
        examples: that have the tag, and counter-examples.
        precision: lower and upper end of the interval, of held-out examples; None without any.
        best: pictures of the most probable.
        borderline: of those that are least sure.
    """

    tag: str
    sentence: str
    accepted: int
    review: int
    examples: tuple[int, int]
    precision: tuple[float, float] | None
    best: list[Thumbnail]
    borderline: list[Thumbnail]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Its figures, with their names."""
        low, high = self.precision or (None, None)
        unknown = "not known without counter-examples"
        said = unknown if low is None or high is None else f"{percent(low)} to {percent(high)}"
        return [
            ("Examples", f"{self.examples[0]}, and {self.examples[1]} counter-examples"),
            ("Precision", said),
            ("Accepted", items(self.accepted)),
            ("To look at", items(self.review)),
        ]


@dataclass(frozen=True, kw_only=True)
class TagReport:
    """A tagging.

    Attributes:
        run_id: of it.
        tags: in the order of their examples.
        items: that were scored.
    """

    run_id: str
    tags: list[TagSheet]
    items: int

    @property
    def verdict(self) -> Verdict:
        """What was found, and what to do."""
        review = sum(each.review for each in self.tags)
        accepted = sum(each.accepted for each in self.tags)
        sure = sum(each.accepted > 0 for each in self.tags)
        return Verdict(
            tone="good" if sure == len(self.tags) else "plain",
            word="Tagged",
            headline=f"{items(review)} to look at" if review else f"{items(accepted)} tagged",
            detail=(
                f"{_accepted(sure, len(self.tags))}, of {items(self.items)}. "
                "What is wrong among the pictures makes the best counter-examples."
            ),
        )


def _accepted(sure: int, tags: int) -> str:
    if not sure:
        return "No item is accepted for any tag yet"
    return f"Some items are accepted for {sure} of {tags} tags"
