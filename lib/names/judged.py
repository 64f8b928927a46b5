"""What held-out items say of names: alone, beside the image, and whether they are used at all."""

from dataclasses import dataclass

import numpy as np
import torch

from lib.evaluation.calibration import FOLDS, fit_temperature, stratified_folds
from lib.evaluation.held_out import Calibrated, calibrated_on
from lib.evaluation.intervals import Estimate, share
from lib.labels.promises import Accept
from lib.models.names import Kept, NamesInfo
from lib.names.classifier import Probabilities, softmax
from lib.names.features import Bools, Floats, Ints, TitleEncoder
from lib.names.fusion import LEAST, fit_weights, fuse
from lib.names.named import Named
from lib.names.text import VERSION
from lib.taxonomy.taxonomy import Taxonomy

FEWEST = 50  # held-out items with a name: fewer say nothing of how much a name is worth
SURE = 1.0  # standard errors by which names must lower the log loss of the image
LEAST_GAIN = 1e-3  # nats by which they must: where an image says all, rounding decides on less


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What images and names say of m held-out items.

    Attributes:
        image: [m, leaves], probabilities, calibrated on other items.
        margins: float64 [m, leaves], by name classifiers that have not seen the item.
        named: bool [m], whether its name says anything.
        targets: int64 [m], true columns.
    """

    image: Probabilities | Floats
    margins: Floats
    named: Bools
    targets: Ints


@dataclass(frozen=True, kw_only=True)
class JudgedNames:
    """Names beside images, on the held-out items that have both.

    All probabilities are calibrated, and all weights fitted, on other folds than an item's own.

    Attributes:
        used: whether names lower the log loss by more than noise; where not, the bundle has none.
        named: bool [m], which of the held-out items have a name that says something.
        temperature: of the names' margins.
        weights: of the image and of the name.
        name: float32 [named, leaves], of names alone.
        both: float32 [named, leaves], fused.
        fused: calibration, thresholds and evaluation of `both`.
        alone: the same of the names alone.
        image_right: of the named items, how many the image alone is right on.
        name_right: the name alone.
        both_right: both together.
    """

    used: bool
    named: Bools
    temperature: float
    weights: tuple[float, float]
    name: Probabilities
    both: Probabilities
    fused: Calibrated
    alone: Calibrated
    image_right: int
    name_right: int
    both_right: int

    @property
    def items(self) -> int:
        """Held-out items with a name."""
        return int(self.named.sum())

    @property
    def beside(self) -> Named:
        """What the names say of all held-out items, to be put beside other images' scores."""
        whole = np.zeros((len(self.named), self.name.shape[1]), np.float32)
        whole[self.named] = self.name
        return Named(probabilities=whole, says=self.named, weights=self.weights)

    @property
    def accuracies(self) -> dict[str, tuple[int, Estimate]]:
        """Of image alone, name alone and both: how many are right, and their share."""
        right = {
            "image alone": self.image_right,
            "name alone": self.name_right,
            "both": self.both_right,
        }
        return {name: (count, share(count, self.items)) for name, count in right.items()}

    def describe(self, taxonomy: Taxonomy, encoder: TitleEncoder) -> NamesInfo:
        """Return what a bundle says of names whose columns are a taxonomy's leaves."""
        return NamesInfo(
            version=VERSION,
            encoder=encoder.files.name if encoder.files else None,
            category_ids=taxonomy.leaves,
            temperature=self.temperature,
            image_weight=self.weights[0],
            name_weight=self.weights[1],
            both=_kept(self.fused),
            alone=_kept(self.alone),
            metrics={"items": float(self.items)}
            | {
                f"{name.replace(' ', '_')}_accuracy": each.value
                for name, (_, each) in self.accuracies.items()
            },
        )

    @property
    def sentence(self) -> str:
        """The same in words."""
        said = ", ".join(
            f"{name} {each.value:.1%} ({each.low:.1%} to {each.high:.1%})"
            for name, (_, each) in self.accuracies.items()
        )
        so = "" if self.used else "; names do not help for sure, and are not used"
        return f"accuracy on {self.items:,} items with a name: {said}{so}"


def judge_names(held_out: HeldOut, taxonomy: Taxonomy, accept: Accept) -> JudgedNames | None:
    """Weigh names beside images, and say what is promised of both, and of names alone.

    Args:
        held_out: what both say of items that neither has seen.
        taxonomy: whose leaves the columns are.
        accept: what is promised.

    Returns:
        None where too few have a name.
    """
    named = held_out.named
    if named.sum() < FEWEST:
        return None
    image, margins = held_out.image[named], held_out.margins[named]
    truth = held_out.targets[named]
    folds = stratified_folds(torch.from_numpy(truth), FOLDS).numpy()
    alone = np.empty(image.shape, np.float32)
    both = np.empty(image.shape, np.float32)
    for fold in range(FOLDS):
        mine = folds == fold
        temperature, weights = _fit(image[~mine], margins[~mine], truth[~mine])
        alone[mine] = softmax(margins[mine] / temperature)
        both[mine] = fuse(image[mine], alone[mine], weights)
    temperature, weights = _fit(image, margins, truth)
    gained = _losses(image, truth) - _losses(both, truth)
    return JudgedNames(
        used=bool(gained.mean() > max(SURE * gained.std(ddof=1) / len(gained) ** 0.5, LEAST_GAIN)),
        named=named,
        temperature=temperature,
        weights=weights,
        name=alone,
        both=both,
        fused=calibrated_on(both, truth, taxonomy, accept),
        alone=calibrated_on(alone, truth, taxonomy, accept),
        image_right=_right(image, truth),
        name_right=_right(alone, truth),
        both_right=_right(both, truth),
    )


def _kept(calibrated: Calibrated) -> Kept:
    """Return the thresholds of one kind of item, and what they rest on."""
    return Kept(
        threshold=calibrated.threshold,
        thresholds=calibrated.thresholds.by_category,
        claims=calibrated.claims,
    )


def _fit(
    image: Probabilities | Floats, margins: Floats, targets: Ints
) -> tuple[float, tuple[float, float]]:
    """Return the temperature of names, and the weights of both."""
    temperature = fit_temperature(torch.from_numpy(margins), torch.from_numpy(targets))
    return temperature, fit_weights(image, softmax(margins / temperature), targets)


def _losses(probabilities: Probabilities | Floats, targets: Ints) -> Floats:
    of_truth = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    found: Floats = -np.log(np.maximum(of_truth, LEAST))
    return found


def _right(probabilities: Probabilities | Floats, targets: Ints) -> int:
    return int((probabilities.argmax(axis=1) == targets).sum())
