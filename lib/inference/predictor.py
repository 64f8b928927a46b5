"""From prepared images to calibrated probabilities, on one device."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lib.embeddings.store import LARGEST, Embeddings
from lib.models.bundle import Bundle
from lib.models.int8 import CLOSE, Probabilities, margins
from lib.models.options import ChosenPrecision, EnginePrecision
from lib.models.runtimes import Network, Networks

AGAIN_BATCH = 8
# what makes close calls again, in turn
FINER: Final[Mapping[ChosenPrecision, tuple[ChosenPrecision, ...]]] = {
    "int8": ("bf16", "fp32"),
    "bf16": ("fp32",),
    "fp32": (),
}
T = TypeVar("T")
# from places of images, and probabilities float32 [n, categories] of theirs, to others
Fuse = Callable[[Sequence[int], Probabilities], Probabilities]


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


@dataclass(frozen=True)
class Pass:
    """One precision: calls closer than its margin are made again in the next."""

    network: Network
    batch: int
    margin: float


class Predictor:
    """A bundle's model, ready on a device; threads may share it.

    Each batch is filled up to the same shape, so that an image gives the same numbers whatever
    stands beside it: the kernels that are chosen depend on the shape.
    """

    def __init__(
        self, bundle: Bundle, networks: Networks, *, precision: EnginePrecision, batch: int
    ) -> None:
        """Load the model; the backbone takes the precision, the head stays in float32."""
        self._head = networks.open_head()
        self._bundle, self._networks = bundle, networks
        chosen = networks.choose(precision)
        self._first = self._open(chosen, batch)
        self._finer = FINER[chosen] if networks.computes_bf16 else FINER[chosen][-1:]
        self._opened: dict[ChosenPrecision, Pass] = {}
        self._lock = threading.Lock()
        again = f", close calls in {' and '.join(self._finer)}" if self._finer else ""
        self.description = self._first.network.description + again + _measured(chosen, bundle)

    def _open(self, precision: ChosenPrecision, batch: int) -> Pass:
        network = self._networks.open(precision, batch, self._head.weight.shape[1])
        return Pass(network, batch, _margin(precision, self._bundle))

    def _again(self, precision: ChosenPrecision) -> Pass:
        """Return a finer pass; it is opened at the first close call, and for all threads."""
        with self._lock:
            if precision not in self._opened:
                self._opened[precision] = self._open(precision, AGAIN_BATCH)
            return self._opened[precision]

    @torch.inference_mode()
    def predict(self, images: Iterable[Tensor], fuse: Fuse | None = None) -> Predicted:
        """Return calibrated probabilities, and the embeddings that they follow from.

        Calls that are close are made again at the end, in a finer precision.

        Args:
            images: each uint8 [3, s, s], as `resize` gives it; they are taken as they come.
            fuse: what labels follow from, of the images at some places and their probabilities;
                then these are what is close or not. None: the probabilities themselves.
        """
        first = self._first
        fuse = fuse or _as_they_are
        found = [self._nothing]
        close: list[tuple[int, Tensor]] = []
        count, seconds = 0, 0.0
        for batch in _in_batches(images, first.batch):
            before = time.perf_counter()
            done = self._run(first, batch)
            found.append(done)
            decided = fuse(range(count, count + len(batch)), done.probabilities)
            close += [(count + place, batch[place]) for place in _close(decided, first)]
            count += len(batch)
            seconds += time.perf_counter() - before
        probabilities = np.concatenate([each.probabilities for each in found])
        embeddings = np.concatenate([each.embeddings for each in found])
        before = time.perf_counter()
        for precision in self._finer:
            if not close:
                break
            each = self._again(precision)
            left: list[tuple[int, Tensor]] = []
            for some in _in_batches(close, each.batch):
                places, again = zip(*some, strict=True)
                done = self._run(each, again)
                probabilities[list(places)] = done.probabilities
                embeddings[list(places)] = done.embeddings
                decided = fuse(places, done.probabilities)
                left += [some[place] for place in _close(decided, each)]
            close = left
        seconds += time.perf_counter() - before
        return Predicted(probabilities=probabilities, embeddings=embeddings, seconds=seconds)

    @property
    def _nothing(self) -> Predicted:
        return Predicted(
            probabilities=np.empty((0, len(self._head.leaves)), np.float32),
            embeddings=np.empty((0, self._head.weight.shape[1]), np.float16),
        )

    def _run(self, one: Pass, images: Sequence[Tensor]) -> Predicted:
        count = len(images)
        stacked = torch.stack([*images])
        embeddings = one.network(pad(stacked, (0, 0, 0, 0, 0, 0, 0, one.batch - count)))
        # what is kept is what is classified: a head gives the same labels later, without pixels
        kept = embeddings.clamp(-LARGEST, LARGEST).half()
        probabilities = self._head.probabilities(kept)[:count]
        return Predicted(
            probabilities=probabilities.cpu().numpy(), embeddings=kept[:count].cpu().numpy()
        )


def _margin(precision: ChosenPrecision, bundle: Bundle) -> float:
    if precision == "int8":
        assert bundle.info.int8
        return bundle.info.int8.margin
    # a weight above 1 moves what is fused by as much more
    weight = max(1.0, bundle.info.names.image_weight) if bundle.info.names else 1.0
    return weight * CLOSE if precision == "bf16" else 0.0


def _measured(precision: ChosenPrecision, bundle: Bundle) -> str:
    """Say how well a precision kept the labels when the bundle was made."""
    int8 = bundle.info.int8
    if precision != "int8" or int8 is None:
        return ""
    return f", {int8.agreement:.1%} of {int8.items:,} held-out labels as in fp32"


def _as_they_are(_: Sequence[int], probabilities: Probabilities) -> Probabilities:
    return probabilities


def _close(decided: Probabilities, by: Pass) -> list[int]:
    """Places of the calls that are closer than a pass may make them."""
    places: list[int] = np.flatnonzero(margins(decided) < by.margin).tolist()
    return places


def _in_batches(each: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(each)
    while batch := list(islice(remaining, size)):
        yield batch
