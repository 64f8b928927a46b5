"""The scores of a pair: of its images, of its names, and one for both."""

from dataclasses import dataclass

import numpy as np

from lib.embeddings.cosine import unit_length
from lib.matching.default_weights import FINAL, FINAL_FEATURES, NAMES
from lib.matching.linear import Doubles, Linear, probability
from lib.matching.name_features import NAME_FEATURES, compare_names
from lib.matching.name_table import Bools, Floats, Ints
from lib.matching.side import Side
from lib.matching.weights import Weights

PAIRS_AT_ONCE = 20_000
KINDS = ("amounts", "sizes", "models", "numbers", "colours")
# products of another amount or size are others, however alike all else is
FORBIDS = ("amounts", "sizes")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What pairs are compared by.

    Attributes:
        names: float32 [n, `NAME_FEATURES`].
        has_names: bool [n], whether both titles say something.
        cosine: float32 [n], of the embeddings; 0 where one is missing.
        has_images: bool [n], whether both are there.
        near_copy: float32 [n], 1 where the pictures are near-copies.
    """

    names: Floats
    has_names: Bools
    cosine: Floats
    has_images: Bools
    near_copy: Floats

    def differs(self, kind: str) -> Bools:
        """Whether the names of each pair contradict each other in one of `KINDS`, bool [n]."""
        return np.asarray(self.names[:, NAME_FEATURES.index(f"{kind}_differ")] > 0, np.bool_)

    @property
    def forbids(self) -> Bools:
        """Whether a pair cannot be the same, whatever its score, bool [n]."""
        return np.asarray(self.has_names & np.any([self.differs(k) for k in FORBIDS], axis=0))


@dataclass(frozen=True, kw_only=True)
class Scores:
    """From 0 to 1 each, float64 [n]; NaN where there is nothing to score."""

    image: Doubles
    name: Doubles
    final: Doubles


@dataclass(frozen=True)
class Scorer:
    """What weighs names, and then both."""

    names: Linear = NAMES
    final: Linear = FINAL

    def score(self, evidence: Evidence) -> Scores:
        """Score pairs; one with neither names nor images is NaN throughout."""
        logits = self.names.logits(evidence.names)
        final = probability(self.final.logits(final_features(evidence, logits)))
        some = evidence.has_names | evidence.has_images
        return Scores(
            image=np.where(evidence.has_images, np.clip(evidence.cosine, 0, 1), np.nan),
            name=np.where(evidence.has_names, probability(logits), np.nan),
            final=np.where(some, final, np.nan),
        )


def final_features(evidence: Evidence, name_logits: Doubles) -> Floats:
    """Return what the final score weighs, float32 [n, `FINAL_FEATURES`]."""
    named, pictured = evidence.has_names, evidence.has_images
    columns = {
        "name": np.where(named, name_logits, 0.0),
        "image": np.where(pictured, evidence.cosine, 0.0),
        "near_copy": np.where(pictured, evidence.near_copy, 0.0),
        "both": named & pictured,
        "image_alone": pictured & ~named,
    }
    return np.stack([np.asarray(columns[n], np.float32) for n in FINAL_FEATURES], axis=1)


def compare(left: Side, right: Side, rows: Ints, columns: Ints, weights: Weights) -> Evidence:
    """Compare pairs of items, some thousands at a time.

    Args:
        left: one side.
        right: the other.
        rows: int64 [n], of the left side.
        columns: int64 [n], of the right side.
        weights: of words and grams.
    """
    parts = []
    for start in range(0, max(len(rows), 1), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        parts.append(_compare(left, right, rows[some], columns[some], weights))
    fields = ("names", "has_names", "cosine", "has_images", "near_copy")
    return Evidence(**{f: np.concatenate([getattr(each, f) for each in parts]) for f in fields})


def _compare(left: Side, right: Side, rows: Ints, columns: Ints, weights: Weights) -> Evidence:
    mine, other = left.names.take(rows), right.names.take(columns)
    has_images = left.has_image[rows] & right.has_image[columns]
    cosine = np.zeros(len(rows), np.float32)
    there = np.flatnonzero(has_images)
    one = unit_length(left.vectors[left.place[rows[there]]])
    two = unit_length(right.vectors[right.place[columns[there]]])
    cosine[there] = np.einsum("nd,nd->n", one, two)
    return Evidence(
        names=compare_names(mine, other, weights),
        has_names=mine.says & other.says,
        cosine=cosine,
        has_images=np.asarray(has_images, np.bool_),
        near_copy=np.zeros(len(rows), np.float32),
    )
