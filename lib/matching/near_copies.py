"""Near-copies: the same picture, saved again, smaller, cropped or mirrored, by its looks."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from PIL import Image

from lib.images.config import ReadingConfig
from lib.images.looks import Looks, look_alike, looks_of, stacked
from lib.images.thumbnails import read_thumbnails
from lib.matching.name_table import Bools, Floats
from lib.matching.scorer import Evidence
from lib.storage.config import StorageConfig

ALIKE = 0.7  # cosine, from which on pictures are looked at
KEPT = 50_000  # looks that are remembered, of 2 KB each
PAIRS_AT_ONCE = 10_000  # whose looks are in memory besides

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
        return cls(lambda uris: read_thumbnails(uris, reading, storage, square=False))

    def mark(self, evidence: Evidence, left: pa.ChunkedArray, right: pa.ChunkedArray) -> Evidence:
        """Mark the pairs that are near-copies.

        Args:
            evidence: of n pairs.
            left: n URIs.
            right: n URIs.
        """
        places = np.flatnonzero(evidence.has_images & (evidence.cosine >= ALIKE))
        near = evidence.near_copy.copy()
        for start in range(0, len(places), PAIRS_AT_ONCE):
            some = places[start : start + PAIRS_AT_ONCE]
            mine, others = (side.take(some).to_pylist() for side in (left, right))
            near[some] = self._are_near(mine, others, evidence.cosine[some])
        return replace(evidence, near_copy=near)

    def _are_near(self, left: Sequence[str], right: Sequence[str], cosine: Floats) -> Bools:
        if len(self._looks) > KEPT:
            self._looks.clear()
        wanted = sorted({*left, *right})
        unknown = [uri for uri in wanted if uri not in self._looks]
        for uri, picture in zip(unknown, self.read(unknown) if unknown else (), strict=True):
            self._looks[uri] = None if picture is None else looks_of_jpeg(picture)
        rows = {uri: row for row, uri in enumerate(wanted)}
        mine, others = (np.array([rows[u] for u in side], np.int64) for side in (left, right))
        return look_alike(stacked([self._looks[u] for u in wanted]), mine, others, cosine)


def looks_of_jpeg(picture: bytes) -> Looks:
    """Return what a picture that this program has made itself looks like, as `looks_of`."""
    with Image.open(io.BytesIO(picture), formats=("JPEG",)) as image:
        return looks_of(image)
