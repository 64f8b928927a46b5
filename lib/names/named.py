"""What the names of some items say, ready to be put beside their images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.names.classifier import Probabilities
from lib.names.features import Bools, Ints
from lib.names.fusion import fuse


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the names of n items say.

    Attributes:
        probabilities: float32 [n, leaves].
        says: bool [n]; of the others the row above means nothing.
        weights: of image and name.
    """

    probabilities: Probabilities
    says: Bools
    weights: tuple[float, float]

    def fused(self, places: Sequence[int] | Ints, image: Probabilities) -> Probabilities:
        """Put the names of some items beside their images; without a name, the image decides.

        Args:
            places: k of the n items.
            image: float32 [k, leaves].

        Returns:
            float32 [k, leaves].
        """
        chosen = np.asarray(places, np.int64)
        says = self.says[chosen]
        found = image.copy()
        found[says] = fuse(image[says], self.probabilities[chosen[says]], self.weights)
        return found
