"""A head that has also learned from an unlabelled catalog, and the guard that it does no harm."""

from dataclasses import dataclass

import torch
from pydantic import ConfigDict
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from lib.config.config import Config
from lib.evaluation.calibration import choose_scaling
from lib.evaluation.paired import Verdict, compare
from lib.heads.lda import moments_of
from lib.heads.recipes import HeadRecipe
from lib.models.head import raise_to

# calibrated; of photos above it 93 to 97 % were labelled rightly with 10 or 30 labels a category
CONFIDENT = 0.8
WEIGHT = 0.3  # of a pseudo-label, where a label's is 1
# labels and pseudo-labels are many: they need less shrinkage than few labels do
MOST_SHRINKAGE = 0.6


class Adaptation(Config):
    """What an unlabelled catalog did to a head; a bundle keeps it.

    Attributes:
        pseudo_labels: how many photos the head was sure of.
        kept: whether the adapted head was taken.
        items: that judged the head with and without, and that neither had seen.
        log_loss: in nats, calibrated, of the head with pseudo-labels.
        log_loss_before: of the head without.
        right: items that the head with pseudo-labels is right on.
        right_before: those of the head without.
    """

    # losses are no numbers where nothing judges
    model_config = ConfigDict(allow_inf_nan=True)

    pseudo_labels: int
    kept: bool
    items: int
    log_loss: float
    log_loss_before: float
    right: int
    right_before: int

    @property
    def sentence(self) -> str:
        """Say it for the person who waits and for the report."""
        if not self.pseudo_labels:
            return (
                "the head was sure of no photo of the unlabelled catalog, which therefore changed "
                "nothing"
            )
        photos = f"{self.pseudo_labels:,} photo" + ("s" if self.pseudo_labels > 1 else "")
        used = "were used for the head" if self.kept else "were not used, since they do not help"
        return (
            f"pseudo-labels of {photos} {used}: log loss {self.log_loss:.3f} instead of "
            f"{self.log_loss_before:.3f}, and {self.right:,} instead of {self.right_before:,} of "
            f"{self.items:,} unseen items right"
        )


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A head that was fitted on labels and pseudo-labels.

    Attributes:
        rows: weight float32 [leaves, d] and bias float32 [leaves], as `fit_head`.
        pseudo_labels: how many.
    """

    rows: tuple[Tensor, Tensor]
    pseudo_labels: int


def recipe_with_more(recipe: HeadRecipe) -> HeadRecipe:
    """Return how a head is fitted on labels and pseudo-labels, from how it was on labels alone."""
    closed = recipe.kind == "closed form"
    strength = min(recipe.strength, MOST_SHRINKAGE) if closed else MOST_SHRINKAGE
    return HeadRecipe(kind="closed form", power=recipe.power, strength=strength)


def adapt_head(
    vectors: Tensor,
    targets: Tensor,
    unlabelled: Tensor,
    calibrated: tuple[Tensor, Tensor],
    recipe: HeadRecipe,
) -> Adapted:
    """Fit a head again on its labels and on what it is sure of itself (Lee 2013, "Pseudo-Label").

    In closed form, in which each category counts the same however many photos it is given.

    Args:
        vectors: embeddings that the head was fitted on, float16 [n, d].
        targets: int64 [n], their columns.
        unlabelled: embeddings, float16 [m, d].
        calibrated: the head, weight float32 [leaves, d] and bias float32 [leaves], both divided by
            its temperature.
        recipe: how the new one is fitted, for embeddings raised to the same power.
    """
    raised = raise_to(unlabelled.float(), recipe.power)
    confidence, said = torch.softmax(linear(raised, *calibrated), dim=1).max(dim=1)
    sure = confidence >= CONFIDENT
    weights = torch.ones(len(targets) + int(sure.sum()), dtype=torch.float64)
    weights[len(targets) :] = WEIGHT
    moments = moments_of(
        [raise_to(vectors.float(), recipe.power), raised[sure]],
        torch.cat([targets, said[sure]]),
        len(calibrated[1]),
        weights,
    )
    rows = moments.discriminants(shrinkage=recipe.strength)
    return Adapted(rows=rows, pseudo_labels=int(sure.sum()))


def judge_adaptation(
    before: Tensor, after: Tensor, targets: Tensor, pseudo_labels: int
) -> Adaptation:
    """Keep an adapted head where it does no harm to items that neither head has seen.

    Its calibrated log loss may not be higher, nor its accuracy lower by more than chance.

    Args:
        before: logits of the head without pseudo-labels, float [n, leaves].
        after: of the head with them, of the same items.
        targets: int64 [n], their true columns.
        pseudo_labels: how many the head has learned from.
    """
    losses, right = [], []
    for logits in (before, after):
        calibrated = choose_scaling(logits, targets).logits
        losses.append(float(cross_entropy(calibrated, targets)))
        right.append((logits.argmax(dim=1) == targets).numpy())
    lower = losses[1] <= losses[0]  # not so where nothing judges, and both are not a number
    harmless = lower and compare(right[1], right[0]).verdict != Verdict.WORSE
    return Adaptation(
        pseudo_labels=pseudo_labels,
        kept=pseudo_labels > 0 and harmless,
        items=len(targets),
        log_loss=losses[1],
        log_loss_before=losses[0],
        right=int(right[1].sum()),
        right_before=int(right[0].sum()),
    )
