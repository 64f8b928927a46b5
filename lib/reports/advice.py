"""What to label next: for each category, how many labels more would do how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.evaluation.assessment import Share
from lib.evaluation.intervals import Estimate, share
from lib.evaluation.results import Evaluation
from lib.reports.estimates import counted
from lib.reports.formats import count, percent

if TYPE_CHECKING:
    from lib.heads.learning_curve import Curve, LearningCurve  # it needs torch

# what a category may be brought to, where what is promised is out of reach
STEPS = (0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5)
WORTH = 0.03  # what labels must bring to be asked for
FEW = 5  # with fewer labels next to nothing is known of a category


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What more labels of one category would do.

    Attributes:
        category: its name.
        path: its path.
        labels: how many it has.
        now: the smaller of two shares: of its photos that are recognised, and of the photos called
            so that are right.
        is_precision: whether it is the second.
        goal: what `more` labels reach; what is promised, where labels alone would not reach it.
        more: how many labels; 0 where the goal is reached; None where labels alone would not.
        doubled: what twice the labels would make of it; None where that is not known.
    """

    category: str
    path: str
    labels: int
    now: Share
    is_precision: bool
    goal: float
    more: int | None
    doubled: Estimate | None

    @property
    def sentence(self) -> str:
        """What a person does about it."""
        have = "1 label" if self.labels == 1 else f"{count(self.labels)} labels"
        if not self.now.whole:
            return f"'{self.category}' has {have}, and nothing is known of it; {self.what_to_do}."
        figure = f"{percent(self.now.share.value)} ({counted(self.now)})"
        said = (
            f"'{self.category}' has {have}, and {figure} of what is called so is right"
            if self.is_precision
            else f"'{self.category}' has {have} and is recognised in {figure} of its photos"
        )
        return f"{said}; {self.what_to_do}."

    @property
    def what_to_do(self) -> str:
        """The same, without what is known now."""
        if not self.now.whole:
            return f"label {FEW} or more"
        if self.more == 0:
            return "no more are needed"
        if self.more is not None:
            return f"about {count(self.more)} more would bring it to {_whole_percent(self.goal)}"
        if self.doubled is None:
            return "how much more labels would do was not measured"
        return f"labels alone would not bring it to {_whole_percent(self.goal)}"

    @property
    def is_worth_labelling(self) -> bool:
        """Whether labels would help, as far as is known."""
        return not self.now.whole or bool(self.more)


def _whole_percent(fraction: float) -> str:
    return f"{100 * fraction:.0f}\N{NO-BREAK SPACE}%"


def advise(
    evaluation: Evaluation,
    names: Sequence[str],
    labels: Sequence[int],
    curve: "LearningCurve | None",
    goal: float,
) -> list[Advice]:
    """Say what to label next, the weakest category first.

    Args:
        evaluation: of held-out items.
        names: of its categories, in its order.
        labels: how many each has.
        curve: what more would do; its columns are the categories. None: not measured.
        goal: what each category should reach, 0 to 1.
    """
    found = []
    for at, (recall, precision) in enumerate(shares_of(evaluation)):
        curves: list[Curve | None] = [None, None]
        sides = [recall, precision]
        if curve:
            curves = [curve.recall[at], curve.precision[at]]
            sides = [_last(each) for each in curves]
        is_precision = bool(
            sides[0].whole and sides[1].whole and sides[1].share.value < sides[0].share.value
        )
        now, law = sides[is_precision], curves[is_precision]
        reached, more = _reachable(now, law, goal)
        advice = Advice(
            category=names[at],
            path=evaluation.categories[at].path,
            labels=labels[at],
            now=now,
            is_precision=is_precision,
            goal=reached,
            more=more,
            doubled=law.law.accuracy(2 * law.labels_now) if law else None,
        )
        found.append(advice)
    return sorted(
        found, key=lambda each: (each.now.share.value if each.now.whole else -1.0, each.path)
    )


def _last(curve: "Curve | None") -> Share:
    """Return what was measured with the most labels."""
    return _share(int(curve.right[-1]), int(curve.whole[-1])) if curve else _share(0, 0)


def _reachable(now: Share, curve: "Curve | None", goal: float) -> tuple[float, int | None]:
    """Return the highest goal that labels would reach, and how many; else the first, and None."""
    if now.whole and now.share.value >= goal:
        return goal, 0
    if curve is None:
        return goal, None
    for each in (goal, *(step for step in STEPS if step < goal)):
        if each >= now.share.value + WORTH and (more := curve.needed(each)) is not None:
            return each, more
    return goal, None


def shares_of(evaluation: Evaluation) -> list[tuple[Share, Share]]:
    """Return recall and precision of each category with their counts and exact intervals."""
    said = [sum(column) for column in zip(*evaluation.confusion, strict=True)]
    return [
        (_share(row[at], sum(row)), _share(row[at], said[at]))
        for at, row in enumerate(evaluation.confusion)
    ]


def _share(part: int, whole: int) -> Share:
    return Share(part=part, whole=whole, share=share(part, whole))
