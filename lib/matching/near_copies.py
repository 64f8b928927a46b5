"""Near-copies: the same picture, saved again, smaller, cropped or mirrored, by its looks."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from PIL import Image

from lib.images.config import ReadingConfig
from lib.images.looks import MOST_BITS, Looks, differing, looks_of
from lib.images.thumbnails import read_thumbnails
from lib.matching.name_table import Bools
from lib.matching.scorer import Evidence
from lib.storage.config import StorageConfig

ALIKE = 0.7  # cosine, from which on pictures are looked at
KEPT = 200_000  # looks that are remembered

Read = Callable[[Sequence[str]], list[bytes | None]]


@dataclass
class NearCopies:
    """Looks at the pictures of pairs whose embeddings are alike; remembers their looks.

    Attributes:
        read: reads images as small JPEGs, None for what cannot be shown.
    """

    read: Read
    _looks: dict[str, Looks | None] = field(default_factory=dict)

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
        if len(self._looks) > KEPT:
            self._looks.clear()
        unknown = sorted({*left, *right} - self._looks.keys())
        for uri, picture in zip(unknown, self.read(unknown) if unknown else (), strict=True):
            self._looks[uri] = None if picture is None else looks_of_jpeg(picture)
        pairs = [
            (self._looks[one], self._looks[other]) for one, other in zip(left, right, strict=True)
        ]
        return np.array([_near(one, other) for one, other in pairs], np.bool_)


def looks_of_jpeg(picture: bytes) -> Looks:
    """Return what a picture that this program has made itself looks like, as `looks_of`."""
    with Image.open(io.BytesIO(picture), formats=("JPEG",)) as image:
        return looks_of(image)


def _near(one: Looks | None, other: Looks | None) -> bool:
    return one is not None and other is not None and int(differing(one, other)) <= MOST_BITS
