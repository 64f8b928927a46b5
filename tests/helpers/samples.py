"""Samples of items for drift, made in code: embeddings on a few directions, as those of photos."""

from typing import Any

import numpy as np

from lib.drift.sample import Sample, sample_of

LEAVES = ("shirt", "skirt", "shoes")
DIMENSIONS = 64

Floats = np.ndarray[Any, np.dtype[np.float32]]


def photos(rng: np.random.Generator, count: int, shift: float = 0.0) -> Floats:
    """Draw embeddings around three places, all of them moved by `shift` in one direction."""
    places = np.random.default_rng(0).normal(0, 2, (3, DIMENSIONS))
    drawn = places[rng.integers(0, 3, count)] + rng.normal(0, 1, (count, DIMENSIONS))
    drawn[:, 0] += shift
    return drawn.astype(np.float32)


def sample(
    seed: int,
    count: int,
    *,
    shift: float = 0.0,
    shares: tuple[float, ...] = (0.5, 0.3, 0.2),
    sureness: float = 5.0,
    embeddings: bool = True,
) -> Sample:
    """Draw a sample; another seed gives other items of the same kind."""
    rng = np.random.default_rng(seed)
    drawn = photos(rng, count, shift).astype(np.float16)
    return sample_of(
        [f"{seed}-{n}" for n in range(count)],
        rng.choice(LEAVES, count, p=shares).tolist(),
        rng.beta(sureness, 1, count).astype(np.float32),
        drawn if embeddings else None,
    )
