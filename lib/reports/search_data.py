"""What the page of a search shows."""

from dataclasses import dataclass

from lib.reports.data import Thumbnail
from lib.reports.formats import items
from lib.reports.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """A question and its answer.

    Attributes:
        run_id: what was looked for, as it stands in the title.
        hits: the best first; their `confidence` is the score.
        items: that could be found.
    """

    run_id: str
    hits: list[Thumbnail]
    items: int

    @property
    def verdict(self) -> Verdict:
        """The answer in a sentence."""
        found = len(self.hits)
        return Verdict(
            tone="plain",
            word="Found" if found else "Nothing found",
            headline=f"The {items(found)} that are nearest" if found else "Nothing was found",
            detail=f"Of {items(self.items)} with an embedding.",
        )
