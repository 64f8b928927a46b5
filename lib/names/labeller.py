"""From image and name to decisions: each kind of item by its own score and its own thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lib.labels.decisions import Decider
from lib.labels.outcomes import can_change
from lib.models.bundle import Bundle
from lib.names.classifier import NameClassifier, Probabilities
from lib.names.features import Bools, Ints
from lib.names.named import Named
from lib.names.part import read_names
from lib.storage.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """A bundle's ways to decide.

    Attributes:
        names: its classifier of titles, or None: then images alone decide.
        weights: of image and name.
        image: decides on items without a name.
        both: on items with an image and a name.
        alone: on items whose image cannot be had, where it is sure; None: they are errors.
    """

    names: NameClassifier | None
    weights: tuple[float, float]
    image: Decider
    both: Decider
    alone: Decider | None

    def read(self, names: Sequence[str | None]) -> Named | None:
        """Return what n names say, or None where the bundle uses none."""
        if self.names is None:
            return None
        probabilities, says = self.names.probabilities(names)
        return Named(probabilities=probabilities, says=says, weights=self.weights)

    def decide(self, probabilities: Probabilities, says: Bools | None) -> pa.Table:
        """Decide on items with an image; columns as `Decider.decide`.

        Args:
            probabilities: float32 [n, leaves], fused where a name says something.
            says: bool [n], where one does; None for nowhere.
        """
        if says is None or not says.any():
            return self.image.decide(probabilities)
        parts = [self.both.decide(probabilities[says]), self.image.decide(probabilities[~says])]
        return pa.concat_tables(parts).take(pa.array(_back(says)))

    def can_change(self, probabilities: Probabilities, says: Bools | None, moved: float) -> Bools:
        """Say of which items with an image another outcome is possible; bool [n].

        Args:
            probabilities: float32 [n, leaves], fused where a name says something.
            says: bool [n], where one does; None for nowhere.
            moved: by how much the log odds of the images' probabilities may be off.
        """
        if says is None:
            return can_change(self.image, probabilities, moved)
        found = np.empty(len(says), np.bool_)
        found[~says] = can_change(self.image, probabilities[~says], moved)
        # beside a name, the image's log odds count by their weight
        found[says] = can_change(self.both, probabilities[says], self.weights[0] * moved)
        return found


def _back(first: Bools) -> Ints:
    """Return where each item stands once those that are `first` are put before the others."""
    places: Ints = np.where(first, np.cumsum(first) - 1, first.sum() + np.cumsum(~first) - 1)
    return places


def labeller_of(bundle: Bundle, storage: Storage) -> Labeller:
    """Return how a bundle decides.

    Raises:
        InputError: its classifier of titles is damaged.
    """
    info = bundle.info.names
    if info is None:
        only = bundle.decider
        return Labeller(names=None, weights=(1.0, 0.0), image=only, both=only, alone=None)
    return Labeller(
        names=read_names(bundle, storage),
        weights=(info.image_weight, info.name_weight),
        image=bundle.decider,
        both=bundle.decider_by(info.both),
        alone=bundle.decider_by(info.alone),
    )
