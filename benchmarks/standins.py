"""Stand-ins for fetching, decoding and the model, which cost next to nothing: the engine is left.

`install` puts them in the place of what a unit uses, in every worker of a Ray that names it as
its set-up hook.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared
from lib.inference.predictor import InDoubt, Predicted
from lib.storage.retries import Retries

IMAGE_BYTES = 60_000
CATEGORIES = 5  # of the bundle in tests.helpers.catalogs
BATCH, DIMENSIONS = 512, 512
PIXELS = np.zeros((3, 1, 1), np.uint8)
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
        """Yield one result per item."""
        for _ in zip(uris, etags, strict=True):
            yield PREPARED


class StandInPredictor:
    """Gives each image of a batch one of 512 fixed rows of probabilities."""

    description = "none: a benchmark's stand-in"

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  # as above
        """Draw the rows, once."""
        self.batch = BATCH
        draw = np.random.default_rng(0)
        self._probabilities = draw.dirichlet([0.3] * CATEGORIES, BATCH).astype(np.float32)
        self._embeddings = draw.normal(size=(BATCH, DIMENSIONS)).astype(np.float16)

    def predict(self, images: Iterable[Pixels], _: InDoubt | None = None) -> Predicted:
        """Return as many rows as there are images."""
        rows = np.arange(sum(1 for _ in images)) % BATCH
        return Predicted(
            probabilities=self._probabilities[rows], embeddings=self._embeddings[rows], seconds=0.0
        )


def same(preparer: StandInPreparer) -> StandInPreparer:
    """Prepare with care, where nothing can go wrong."""
    return preparer


def install() -> None:
    """Take the place of the real parts in this process."""
    import lib.inference.classify_unit  # noqa: PLC0415  # only workers load it

    for name, standin in (
        ("Preparer", StandInPreparer),
        ("Predictor", StandInPredictor),
        ("CarefulPreparer", same),
        ("Networks", Nothing),
    ):
        setattr(lib.inference.classify_unit, name, standin)


def main() -> None:
    """Write a bundle into the folder that is given, and print what the stand-ins cost.

    In a process of its own: the driver of a run does not load torch either.
    """
    from tests.helpers import catalogs  # noqa: PLC0415  # workers need none

    catalogs.make_bundle(sys.argv[1])
    print(cost_us())  # noqa: T201  # the benchmark reads it


def cost_us(items: int = 200_000) -> float:
    """Measure what the stand-ins themselves cost, in microseconds of one core an item."""
    preparer, predictor = StandInPreparer(), StandInPredictor()
    names = [""] * items
    started = time.process_time()
    for _ in preparer.stream(names, names):
        pass
    for start in range(0, items, BATCH):
        predictor.predict([PIXELS] * min(BATCH, items - start))
    return (time.process_time() - started) / items * 1e6


if __name__ == "__main__":
    main()
