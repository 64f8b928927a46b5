"""From prepared images to calibrated probabilities, on one device."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

import numpy as np

from lib.embeddings.store import Embeddings
from lib.images.jpeg import Pixels
from lib.labels.outcomes import Bools, can_change
from lib.models.bundle import Bundle
from lib.models.int8 import BF16_MOVED, Probabilities
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
# of images by their places: whether their outcomes can change, bool [n], where the log odds of
# their probabilities, float32 [n, leaves], are off by so much
InDoubt = Callable[[Sequence[int], Probabilities, float], Bools]


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
    """One precision: calls that its error can change are made again in the next.

    Attributes:
        network: the backbone in it.
        batch: images of a batch.
        moved: by how much the log odds of its probabilities may be off.
    """

    network: Network
    batch: int
    moved: float


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
        self._bundle, self._networks, self._decider = bundle, networks, bundle.decider
        chosen = networks.choose(precision)
        self._first = self._open(chosen, batch)
        self._finer = FINER[chosen] if networks.computes_bf16 else FINER[chosen][-1:]
        self._opened: dict[ChosenPrecision, Pass] = {}
        self._lock = threading.Lock()
        again = f", close calls in {' and '.join(self._finer)}" if self._finer else ""
        self.description = self._first.network.description + again + _measured(chosen, bundle)

    def _open(self, precision: ChosenPrecision, batch: int) -> Pass:
        network = self._networks.open(precision, batch, self._head.width)
        return Pass(network, batch, _moved(precision, self._bundle))

    def _again(self, precision: ChosenPrecision) -> Pass:
        """Return a finer pass; it is opened at the first close call, and for all threads."""
        with self._lock:
            if precision not in self._opened:
                self._opened[precision] = self._open(precision, AGAIN_BATCH)
            return self._opened[precision]

    def predict(self, images: Iterable[Pixels], in_doubt: InDoubt | None = None) -> Predicted:
        """Return calibrated probabilities, and the embeddings that they follow from.

        Calls of which the outcome can change are made again at the end, in a finer precision.

        Args:
            images: each uint8 [3, s, s], as `resize` gives it; they are taken as they come.
            in_doubt: says which outcomes can change; None: by the thresholds of images alone.
        """
        first = self._first
        in_doubt = in_doubt or (lambda _, made, moved: can_change(self._decider, made, moved))

        def close_ones(places: Sequence[int], done: Predicted, by: Pass) -> list[int]:
            if not by.moved:
                return []
            found: list[int] = np.flatnonzero(
                in_doubt(places, done.probabilities, by.moved)
            ).tolist()
            return found

        found = [self._nothing]
        close: list[tuple[int, Pixels]] = []
        count, seconds = 0, 0.0
        for batch in _in_batches(images, first.batch):
            before = time.perf_counter()
            done = self._run(first, batch)
            found.append(done)
            places = range(count, count + len(batch))
            close += [(places[n], batch[n]) for n in close_ones(places, done, first)]
            count += len(batch)
            seconds += time.perf_counter() - before
        probabilities = np.concatenate([each.probabilities for each in found])
        embeddings = np.concatenate([each.embeddings for each in found])
        before = time.perf_counter()
        for precision in self._finer:
            if not close:
                break
            each = self._again(precision)
            left: list[tuple[int, Pixels]] = []
            for some in _in_batches(close, each.batch):
                at, again = zip(*some, strict=True)
                done = self._run(each, again)
                probabilities[list(at)] = done.probabilities
                embeddings[list(at)] = done.embeddings
                left += [some[n] for n in close_ones(at, done, each)]
            close = left
        seconds += time.perf_counter() - before
        return Predicted(probabilities=probabilities, embeddings=embeddings, seconds=seconds)

    @property
    def _nothing(self) -> Predicted:
        return Predicted(
            probabilities=np.empty((0, len(self._bundle.info.leaves)), np.float32),
            embeddings=np.empty((0, self._head.width), np.float16),
        )

    def _run(self, one: Pass, images: Sequence[Pixels]) -> Predicted:
        count = len(images)
        filled = np.zeros((one.batch, *images[0].shape), np.uint8)
        np.stack(images, out=filled[:count])
        # what is kept is what is classified: a head gives the same labels later, without pixels
        kept = one.network(filled)
        probabilities = self._head.probabilities(kept)[:count]
        return Predicted(probabilities=probabilities, embeddings=kept[:count])


def _moved(precision: ChosenPrecision, bundle: Bundle) -> float:
    if precision == "int8":
        assert bundle.info.int8
        return bundle.info.int8.moved
    return BF16_MOVED if precision == "bf16" else 0.0


def _measured(precision: ChosenPrecision, bundle: Bundle) -> str:
    """Say how well a precision kept the decisions when the bundle was made."""
    int8 = bundle.info.int8
    if precision != "int8" or int8 is None:
        return ""
    return f", {int8.agreement:.1%} of {int8.items:,} held-out decisions as in fp32"


def _in_batches(each: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(each)
    while batch := list(islice(remaining, size)):
        yield batch
