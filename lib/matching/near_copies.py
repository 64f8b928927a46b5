"""Near-copies: the same picture, saved again, smaller or recompressed, by a perceptual hash.

The hash is of the kind that pHash made known: the lowest frequencies of a small grey picture, each
above the median or below it.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.matching.name_table import Bools
from lib.matching.scorer import Evidence
from lib.storage.config import StorageConfig

SIDE_PX, LOWEST = 32, 8
MOST_BITS = 10  # of 64 that two near-copies differ in at most
ALIKE = 0.8  # cosine, from which on pictures are looked at
KEPT = 200_000  # hashes that are remembered

Hash = np.ndarray[Any, np.dtype[np.bool_]]
Read = Callable[[Sequence[str]], list[bytes | None]]


def perceptual_hash(picture: bytes) -> Hash:
    """Return the hash of a picture that this program has made itself, bool [64]."""
    from scipy.fft import dctn  # noqa: PLC0415  # takes a while to load

    with Image.open(io.BytesIO(picture), formats=("JPEG",)) as image:
        grey = image.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    low = dctn(np.asarray(grey, np.float64), norm="ortho")[:LOWEST, :LOWEST].ravel()
    # the first is the mean brightness, which a copy may have changed
    return np.asarray(low > np.median(low[1:]), np.bool_)


@dataclass
class NearCopies:
    """Looks at the pictures of pairs whose embeddings are alike; remembers their hashes.

    Attributes:
        read: reads images as small JPEGs, None for what cannot be shown.
    """

    read: Read
    _hashes: dict[str, Hash | None] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: ReadingConfig, storage: StorageConfig) -> "NearCopies":
        """Read images as reports do: each in a process that may be killed by it."""
        return cls(lambda uris: read_thumbnails(uris, reading, storage))

    def mark(self, evidence: Evidence, left: pa.ChunkedArray, right: pa.ChunkedArray) -> Evidence:
        """Mark the pairs that are near-copies.

        Args:
            evidence: of n pairs.
            left: n URIs.
            right: n URIs.
        """
        places = np.flatnonzero(evidence.has_images & (evidence.cosine >= ALIKE))
        mine, others = (side.take(places).to_pylist() for side in (left, right))
        near = evidence.near_copy.copy()
        near[places] = self._are_near(mine, others)
        return replace(evidence, near_copy=near)

    def _are_near(self, left: Sequence[str], right: Sequence[str]) -> Bools:
        if len(self._hashes) > KEPT:
            self._hashes.clear()
        unknown = sorted({*left, *right} - self._hashes.keys())
        for uri, picture in zip(unknown, self.read(unknown) if unknown else (), strict=True):
            self._hashes[uri] = None if picture is None else perceptual_hash(picture)
        pairs = [
            (self._hashes[one], self._hashes[other]) for one, other in zip(left, right, strict=True)
        ]
        return np.array([_near(one, other) for one, other in pairs], np.bool_)


def _near(one: Hash | None, other: Hash | None) -> bool:
    return one is not None and other is not None and int((one != other).sum()) <= MOST_BITS
