"""From prepared images to calibrated probabilities, on one device."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lib.bundle import Bundle
from lib.close_calls import CLOSE, Probabilities, margins
from lib.embeddings import LARGEST, Embeddings
from lib.engine import EnginePrecision
from lib.network import Network, Networks

EXACT_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Of n images: what their labels follow from.

    Attributes:
        probabilities: float32 [n, categories], columns in the order of the bundle's `leaves`.
        embeddings: float16 [n, d].
        seconds: of the device.
    """

    probabilities: Probabilities
    embeddings: Embeddings
    seconds: float = 0.0


class Predictor:
    """A bundle's model, ready on a device; threads may share it.

    Each batch is filled up to the same shape, so that an image gives the same numbers whatever
    stands beside it: the kernels that are chosen depend on the shape.
    """

    def __init__(
        self, bundle: Bundle, networks: Networks, *, precision: EnginePrecision, batch: int
    ) -> None:
        """Load the model; the backbone takes the precision, the head stays in float32."""
        self._batch = batch
        self._head = networks.open_head()
        chosen = networks.choose(precision)
        self._network = networks.open(chosen, batch)
        self.description = self._network.description
        self._exact: Network | None = None
        self._margin = CLOSE
        if chosen != "fp32":
            self._exact = networks.open("fp32", EXACT_BATCH)
            self.description += ", close calls in fp32"
        if chosen == "int8":
            assert bundle.info.int8
            self._margin = bundle.info.int8.margin
        side = bundle.info.preprocessing.size_px
        self.predict([torch.zeros(3, side, side, dtype=torch.uint8)])

    @torch.inference_mode()
    def predict(self, images: Iterable[Tensor]) -> Predicted:
        """Give calibrated probabilities, and the embeddings that they follow from.

        Calls that are close are made again at the end, in float32.

        Args:
            images: each uint8 [3, s, s], as `resize` gives it; they are taken as they come.
        """
        seconds = 0.0
        found = [self._nothing]
        waiting: list[Tensor] = []
        close: list[tuple[int, Tensor]] = []

        def run() -> float:
            before = time.perf_counter()
            done = self._run(self._network, waiting, self._batch)
            if self._exact is not None:
                first = sum(len(each.embeddings) for each in found)
                near = np.flatnonzero(margins(done.probabilities) < self._margin).tolist()
                close.extend((first + place, waiting[place]) for place in near)
            found.append(done)
            waiting.clear()
            return time.perf_counter() - before

        for image in images:
            waiting.append(image)
            if len(waiting) == self._batch:
                seconds += run()
        if waiting:
            seconds += run()
        probabilities = np.concatenate([each.probabilities for each in found])
        embeddings = np.concatenate([each.embeddings for each in found])
        before = time.perf_counter()
        for start in range(0, len(close), EXACT_BATCH):
            places, again = zip(*close[start : start + EXACT_BATCH], strict=True)
            assert self._exact is not None
            exact = self._run(self._exact, again, EXACT_BATCH)
            probabilities[list(places)] = exact.probabilities
            embeddings[list(places)] = exact.embeddings
        seconds += time.perf_counter() - before
        return Predicted(probabilities=probabilities, embeddings=embeddings, seconds=seconds)

    @property
    def _nothing(self) -> Predicted:
        return Predicted(
            probabilities=np.empty((0, len(self._head.leaves)), np.float32),
            embeddings=np.empty((0, self._head.weight.shape[1]), np.float16),
        )

    def _run(self, network: Network, images: Iterable[Tensor], batch: int) -> Predicted:
        stacked = torch.stack([*images])
        count = len(stacked)
        embeddings = network(pad(stacked, (0, 0, 0, 0, 0, 0, 0, batch - count)))
        # what is kept is what is classified: a head gives the same labels later, without pixels
        kept = embeddings.clamp(-LARGEST, LARGEST).half()
        probabilities = self._head.probabilities(kept)[:count]
        return Predicted(
            probabilities=probabilities.cpu().numpy(), embeddings=kept[:count].cpu().numpy()
        )
