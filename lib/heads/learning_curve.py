"""How accuracy grows with labels: measured on parts of those there are, drawn on beyond them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.heads.folds import NEVER_HELD_OUT
from lib.heads.lda import sum_up
from lib.heads.power_law import Floats, PowerLaw, fit_power_law
from lib.heads.recipes import HeadRecipe, fit_logistic
from lib.models.head import raise_to

SHARES = (0.25, 0.5, 0.75, 1.0)
# items that heads are fitted on at the largest share, over all folds: seconds on a core
MOST_FITTED = 15_000
MOST_ITEMS = 50_000  # of more, so many drawn at random tell as much


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracy by the number of labels: of one category or, by the mean number, of all.

    Attributes:
        labels_now: how many there are.
        labels: float64 [points], how many heads were fitted on, rising.
        right: float64 [points], held-out items that were right.
        whole: float64 [points], held-out items.
        law: fitted to these, for any number of labels.
    """

    labels_now: float
    labels: Floats
    right: Floats
    whole: Floats
    law: PowerLaw

    def needed(self, goal: float) -> int | None:
        """Return how many labels more would reach an accuracy, where all categories grow alike.

        None where labels alone would not, not even ten times those there are.
        """
        return self.law.needed(goal, self.labels_now)


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """What more labels would do.

    Attributes:
        overall: accuracy, by the mean number of labels per category.
        recall: by column, of the items of a category the share that is recognised; None where none
            was held out.
        precision: by column, of the items that are taken for it the share that is; None where none
            was.
    """

    overall: Curve
    recall: list[Curve | None]
    precision: list[Curve | None]


def learning_curve(
    vectors: Tensor, targets: Tensor, folds: Tensor, leaves: int, recipe: HeadRecipe
) -> LearningCurve | None:
    """Cross-validate heads that are fitted on 25, 50, 75 and 100 % of each category's labels.

    Args:
        vectors: embeddings as they are kept, float16 [n, d].
        targets: int64 [n], columns of the leaves; some may have no item.
        folds: int64 [n], as `assign_folds` gives them.
        leaves: how many there are.
        recipe: how heads are fitted.

    Returns:
        None where fewer than two categories have held-out items.
    """
    now = torch.bincount(targets, minlength=leaves).double().numpy()
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))[:MOST_ITEMS]
    vectors, targets, folds = vectors[order], targets[order], folds[order]
    if len(torch.unique(targets[folds != NEVER_HELD_OUT])) < 2:
        return None
    tried = min(int(folds.max()) + 1, max(MOST_FITTED // len(targets), 1))
    labelled = _Labelled(raise_to(vectors.float(), recipe.power), targets, leaves, recipe)
    # [points, 4, leaves]: labels, held-out items, those taken for a category, those rightly
    counts = np.sum([labelled.judge(folds == fold) for fold in range(tried)], axis=0)
    counts[:, 0] /= tried
    labels, true, said, right = counts.transpose(1, 0, 2)
    here = now > 0
    overall = _curve(
        now[here].mean(), labels[:, here].mean(axis=1), right.sum(axis=1), true.sum(axis=1), None
    )
    assert overall is not None
    columns = range(leaves)

    def by_category(whole: Floats) -> list[Curve | None]:
        return [
            _curve(now[at], labels[:, at], right[:, at], whole[:, at], overall.law)
            for at in columns
        ]

    return LearningCurve(overall=overall, recall=by_category(true), precision=by_category(said))


@dataclass(frozen=True)
class _Labelled:
    """What heads are fitted on and judged by; vectors are raised, float32 [n, d]."""

    vectors: Tensor
    targets: Tensor
    leaves: int
    recipe: HeadRecipe

    def judge(self, inside: Tensor) -> Floats:
        """Fit a head on each share of what is outside of a fold, and count what they say inside.

        Returns:
            float64 [shares, 4, leaves], as `learning_curve` sums them up.
        """
        outside, truth = torch.nonzero(~inside).squeeze(1), self.targets[inside]
        found = []
        for kept, present, (weight, bias) in self._heads(outside):
            said = present[linear(self.vectors[inside], weight, bias).argmax(dim=1)]
            counted = (self.targets[kept], truth, said, truth[said == truth])
            found.append([np.bincount(each.numpy(), minlength=self.leaves) for each in counted])
        return np.array(found, np.float64)

    def _heads(self, outside: Tensor) -> Iterator[tuple[Tensor, Tensor, tuple[Tensor, Tensor]]]:
        """Yield, per share: the items, the leaves that are among them, and the head."""
        places = [outside[_first(self.targets[outside], share)] for share in SHARES]
        middle, sums = self.vectors.mean(dim=0), None
        for kept, before in zip(places, [None, *places], strict=False):
            present, compact = torch.unique(self.targets[kept], return_inverse=True)
            if self.recipe.kind == "logistic":
                rows = fit_logistic(self.vectors[kept], compact, self.recipe.strength)
            else:
                # each share has all that the one before has
                new = kept if before is None else kept[torch.isin(kept, before, invert=True)]
                more = sum_up([self.vectors[new]], self.targets[new], self.leaves, middle=middle)
                sums = sums.also(more) if sums else more
                rows = sums.moments().discriminants(present.tolist(), self.recipe.strength)
            yield kept, present, rows


def _first(targets: Tensor, share: float) -> Tensor:
    """Return the places of the first share of each category's items, one at least."""
    order = torch.argsort(targets, stable=True)
    counts = torch.bincount(targets)
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(targets)) - starts[targets[order]]
    return order[place < (share * counts).ceil()[targets[order]]]


def _curve(
    now: float, labels: Floats, right: Floats, whole: Floats, like: PowerLaw | None
) -> Curve | None:
    law = fit_power_law(labels, right, whole, like) if labels[0] else None
    if law is None:
        return None
    return Curve(labels_now=float(now), labels=labels, right=right, whole=whole, law=law)
