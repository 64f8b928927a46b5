"""Stand-ins for fetching, decoding and the model, which cost next to nothing: the engine is left.

`install` puts them in the place of what a unit uses, in every worker of a Ray that names it as
its set-up hook.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from lib.inference import Probabilities
from lib.prepare import Prepared
from lib.retries import Retries

IMAGE_BYTES = 60_000
CATEGORIES = 5  # of the bundle in tests.catalogs
BATCH = 512
PIXELS = torch.zeros(3, 1, 1, dtype=torch.uint8)
PREPARED = Prepared(pixels=PIXELS, bytes_fetched=IMAGE_BYTES, fetch_s=0.05, decode_s=0.0015)


class Nothing:
    """Takes whatever it is given."""

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  # as it says
        """Keep none of it."""


class StandInPreparer:
    """Gives every item the same pixel at once."""

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  # whatever the real one takes
        """Keep nothing."""
        self.retries = Retries(0)

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Give one result an item."""
        for _ in zip(uris, etags, strict=True):
            yield PREPARED


class StandInPredictor:
    """Gives each image of a batch one of 512 fixed rows of probabilities."""

    description = "none: a benchmark's stand-in"

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  # as above
        """Draw the rows, once."""
        self.batch = BATCH
        drawn = np.random.default_rng(0).dirichlet([0.3] * CATEGORIES, BATCH)
        self._rows: Probabilities = drawn.astype(np.float32)

    @property
    def no_probabilities(self) -> Probabilities:
        """The result for no images."""
        return self._rows[:0]

    def probabilities(self, images: torch.Tensor) -> Probabilities:
        """Give as many rows as there are images."""
        return self._rows[: len(images)]


def install() -> None:
    """Take the place of the real parts in this process."""
    import lib.unit  # noqa: PLC0415  # only workers load it

    for name, standin in (
        ("Preparer", StandInPreparer),
        ("Predictor", StandInPredictor),
        ("Networks", Nothing),
    ):
        setattr(lib.unit, name, standin)


def cost_us(items: int = 200_000) -> float:
    """Measure what the stand-ins themselves cost, in microseconds of one core an item."""
    preparer, predictor = StandInPreparer(), StandInPredictor()
    names = [""] * items
    started = time.process_time()
    for _ in preparer.stream(names, names):
        pass
    for start in range(0, items, BATCH):
        predictor.probabilities(PIXELS.expand(min(BATCH, items - start), 3, 1, 1))
    return (time.process_time() - started) / items * 1e6
