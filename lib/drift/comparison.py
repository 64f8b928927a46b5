"""A night's sample compared with those of its training and of the nights before: its drift."""

from pydantic import Field

from lib.config.config import Config
from lib.drift import distances
from lib.drift.sample import Sample
from lib.drift.unfamiliar import WRONGLY_NAMED, find_unfamiliar

FEWEST_ITEMS = 200  # of a night: of fewer, chance alone could look like drift
FEWEST_BEFORE = 50  # of what it is compared with
TRAINING = "the training's"
DIFFERS = {
    "photos": "the photos differ",
    "confidence": "the confidences differ",
    "mix": "the mix of categories differs",
}


class Comparison(Config):
    """A night compared with one thing; distances as shares from 0 to 1, None where not known."""

    compared_with: str  # in words: whose items
    items: int
    photos: float | None = None
    confidence: float | None = None
    mix: float | None = None
    # ids of the night's sampled items whose photos are far from all of the others, the farthest
    # first; None where that is not known
    unfamiliar: tuple[str, ...] | None = None

    @property
    def parts(self) -> dict[str, float]:
        """The distances that are known."""
        every = {part: getattr(self, part) for part in DIFFERS}
        return {part: value for part, value in every.items() if value is not None}


class Drift(Config):
    """`drift.json`: how far a night is from its training and from the nights before."""

    items: int  # of the night, in its sample
    comparisons: tuple[Comparison, ...] = ()
    has_reference: bool = True  # whether the bundle has a sample of its training
    value: float | None = Field(default=None, ge=0, le=1)  # the largest distance; None: not judged

    @property
    def sentence(self) -> str:
        """The drift for a person."""
        missing = "" if self.has_reference else "the bundle has no sample of its training"
        if self.items < FEWEST_ITEMS:
            few = f"{self.items:,} labels are" if self.items != 1 else "1 label is"
            return f"drift was not judged: {few} too few, at least {FEWEST_ITEMS} are needed"
        if self.value is None:
            missing = missing or "the sample of its training is too small"
            return f"drift was not judged: {missing}, and no night before was published with it"
        suffix = f"; {missing}" if missing else ""
        if not self.value:
            names = " and ".join(each.compared_with for each in self.comparisons)
            return f"no drift: a sample of {self.items:,} items is like {names}{suffix}"
        value, part, compared_with = max(
            (value, part, each.compared_with)
            for each in self.comparisons
            for part, value in each.parts.items()
        )
        return f"drift {value:.1%}: {DIFFERS[part]} from {compared_with}{suffix}"

    @property
    def unfamiliar(self) -> tuple[str, ...]:
        """Ids of the sampled items that are like nothing in the training, the farthest first."""
        every = [each for each in self.comparisons if each.compared_with == TRAINING]
        return next((each.unfamiliar or () for each in every), ())

    @property
    def unfamiliar_sentences(self) -> list[str]:
        """How many photos are like nothing in the training; no sentence where none is."""
        if not self.unfamiliar:
            return []
        count, of = len(self.unfamiliar), f"of {self.items:,} sampled photos"
        verb = "looks" if count == 1 else "look"
        return [f"{count:,} {of} {verb} like nothing that the model was trained on"]


def measure_drift(
    night: Sample, training: Sample | None, before: Sample | None, nights: int
) -> Drift:
    """Compare a night with what came before it.

    Args:
        night: of the items that the night has classified.
        training: of those that its bundle was trained on; None where the bundle has no sample.
        before: of those that the nights before have classified with the same bundle; None where
            there were none.
        nights: how many nights that is.
    """
    last = "the last night's" if nights == 1 else f"the last {nights} nights'"
    pairs = [(TRAINING, training), (last, before)]
    if len(night) < FEWEST_ITEMS:
        return Drift(items=len(night), has_reference=training is not None)
    comparisons = tuple(
        compare(night, other, name)
        for name, other in pairs
        if other is not None and len(other) >= FEWEST_BEFORE
    )
    values = [value for each in comparisons for value in each.parts.values()]
    return Drift(
        items=len(night),
        comparisons=comparisons,
        has_reference=training is not None,
        value=max(values, default=None),
    )


def compare(night: Sample, other: Sample, name: str) -> Comparison:
    """Measure the distances between two samples, of what both of them have."""
    photos = confidence = mix = unfamiliar = None
    if night.embeddings is not None and other.embeddings is not None:
        found = find_unfamiliar(night.embeddings, other.embeddings)
        ids = night.table["item_id"].to_pylist()
        unfamiliar = tuple(ids[n] for n in found)
        # a few that are plainly others stand out by themselves long before a classifier tells
        # the whole of the two apart
        photos = max(
            distances.embedding_distance(night.embeddings, other.embeddings),
            (1 - WRONGLY_NAMED) * len(found) / len(night),
        )
    if night.confidences is not None and other.confidences is not None:
        confidence = distances.confidence_distance(night.confidences, other.confidences)
    if night.category_ids is not None and other.category_ids is not None:
        mix = distances.mix_distance(night.category_ids, other.category_ids)
    return Comparison(
        compared_with=name,
        items=len(other),
        photos=photos,
        confidence=confidence,
        mix=mix,
        unfamiliar=unfamiliar,
    )
