"""Pictures are made smaller and larger without torch as torch's own kernel does it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lib.images.jpeg import Pixels
from lib.images.resampling import by_products, by_torch


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    """Bytes, in the order that decoders leave."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), np.uint8).transpose(2, 0, 1)


@pytest.mark.parametrize("seed", range(60))
def test_every_byte_is_the_same_whatever_the_sizes(seed: int) -> None:
    (*before, height, width) = np.random.default_rng(seed).integers(1, 700, 4).tolist()
    picture = noise(before[0], before[1], seed)
    if seed % 3 == 0:  # where rounding up to 256 would show
        picture = np.where(picture > 127, np.uint8(255), np.uint8(0))

    ours, theirs = (by(picture, height, width) for by in (by_products, by_torch))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((533, 400), (224, 224)),
        ((448, 1_344), (224, 224)),  # exactly two and six times
        ((3_000, 2), (224, 1)),  # thirteen times: sums of more than 24 bits
        ((20_000, 1), (32, 32)),
        ((224, 100), (224, 224)),  # one side is as it should be
        ((1, 1), (224, 224)),
    ],
)
def test_every_byte_is_the_same_at_the_sizes_of_models(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    picture = noise(*before)
    assert np.array_equal(by_products(picture, *after), by_torch(picture, *after))


@pytest.mark.processes
def test_torch_is_not_loaded_for_products() -> None:
    program = (
        "import sys, numpy as np; from lib.images.resampling import by_products; "
        "by_products(np.zeros((3, 50, 40), np.uint8), 8, 8); print('torch' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "False\n"
