"""Which of two models is taken, by what both say of the same items."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lib.evaluation.held_out import Calibrated, Scored
from lib.evaluation.paired import Comparison, Verdict, compare

# one-sided, in standard errors: one better model in twenty would look so by chance
CLEARLY = 1.645


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a model says of items that it has not seen, and what follows."""

    scored: Scored
    calibrated: Calibrated

    @property
    def correct(self) -> Tensor:
        """Whether each item's label is right; bool [n]."""
        return self.scored.logits.argmax(dim=1) == self.scored.targets

    @property
    def losses(self) -> Tensor:
        """Calibrated log loss of each item in nats, float64 [n]."""
        logits = self.calibrated.scaling.apply(self.scored.logits)
        return cross_entropy(logits, self.scored.targets, reduction="none")


def is_better(tuned: Judged, simple: Judged) -> tuple[bool, Comparison]:
    """Say whether a model is better than a simpler one, on the items that judge both.

    It is where the exact test of McNemar says so of its labels, or where it is right as often and
    its log loss is lower by a paired test: confidences say more than labels of few items can.
    """
    place = {item_id: row for row, item_id in enumerate(simple.scored.item_ids)}
    both = [(row, place[each]) for row, each in enumerate(tuned.scored.item_ids) if each in place]
    ours, theirs = (torch.tensor(rows) for rows in zip(*both, strict=True))
    right, wrong = tuned.correct[ours], simple.correct[theirs]
    found = compare(right.numpy(), wrong.numpy())
    gained = simple.losses[theirs] - tuned.losses[ours]
    surer = gained.mean() > CLEARLY * gained.std() / len(gained) ** 0.5
    return found.verdict == Verdict.BETTER or (found.difference >= 0 and bool(surer)), found
