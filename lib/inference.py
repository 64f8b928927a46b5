"""From prepared images to calibrated probabilities, on one device."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from lib.bundle import Bundle
from lib.embeddings import LARGEST, Embeddings
from lib.engine import Precision
from lib.network import Network, Networks

Probabilities = np.ndarray[Any, np.dtype[np.float32]]
# A call as close as this is made again in float32. Rounding to bf16 moves probabilities by about a
# point, and so changes labels only where two categories are nearly equal.
CLOSE = 0.02
CLOSE_BATCH = 8


@dataclass(frozen=True)
class Predicted:
    """Of n images: probabilities, float32 [n, categories], and embeddings, float16 [n, d]."""

    probabilities: Probabilities
    embeddings: Embeddings


class Predictor:
    """A bundle's model, ready on a device.

    Each batch is filled up to the same shape, so that an image gives the same numbers whatever
    stands beside it: the kernels that are chosen depend on the shape.
    """

    def __init__(
        self, bundle: Bundle, networks: Networks, *, precision: Precision, batch: int
    ) -> None:
        """Load the model; the backbone takes the precision, the head stays in float32."""
        self.batch = batch
        self._temperature = bundle.info.temperature
        self._weight, self._bias = networks.open_head()
        self._network = networks.open(precision, batch)
        self.description = self._network.description
        self._exact: Network | None = None
        if not self.description.endswith("fp32"):
            self._exact = networks.open("fp32", CLOSE_BATCH)
            self.description += ", close calls in fp32"
        side = bundle.info.preprocessing.size_px
        self.probabilities(torch.zeros(1, 3, side, side, dtype=torch.uint8))

    @property
    def nothing(self) -> Predicted:
        """The result for no images."""
        return Predicted(
            np.empty((0, len(self._bias)), np.float32),
            np.empty((0, self._weight.shape[1]), np.float16),
        )

    def probabilities(self, images: Tensor) -> Probabilities:
        """Give calibrated probabilities alone, as `predict`."""
        return self.predict(images).probabilities

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Predicted:
        """Give calibrated probabilities, and the embeddings that they follow from.

        Args:
            images: uint8 [n, 3, s, s], n at most `batch`, as `resize` gives them.

        Returns:
            Probabilities in the order of the bundle's `category_ids`; of an image whose call is
            close, those and the embedding of the pass in float32.
        """
        found = self._run(self._network, images, self.batch)
        if self._exact is not None:
            close = np.flatnonzero(_margins(found.probabilities) < CLOSE)
            for start in range(0, len(close), CLOSE_BATCH):
                some = close[start : start + CLOSE_BATCH]
                exact = self._run(self._exact, images[some], CLOSE_BATCH)
                found.probabilities[some] = exact.probabilities
                found.embeddings[some] = exact.embeddings
        return found

    def _run(self, network: Network, images: Tensor, batch: int) -> Predicted:
        count = len(images)
        embeddings = network(pad(images, (0, 0, 0, 0, 0, 0, 0, batch - count)))
        # what is kept is what is classified: a head gives the same labels later, without pixels
        kept = embeddings.clamp(-LARGEST, LARGEST).half()
        logits = linear(kept.float(), self._weight, self._bias)
        scaled = torch.softmax(logits / self._temperature, dim=1)[:count]
        return Predicted(scaled.cpu().numpy(), kept[:count].cpu().numpy())


def _margins(probabilities: Probabilities) -> Probabilities:
    """How far the best category is ahead of the next; one alone is never close."""
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    best = np.partition(probabilities, -2, axis=1)
    margins: Probabilities = best[:, -1] - best[:, -2]
    return margins
