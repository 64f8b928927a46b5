"""A few images at a time, without a run: what a bundle says of each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from lib.images.config import ReadingConfig
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer
from lib.images.resampling import by_products
from lib.inference.prediction import Likely, Neighbour, Prediction
from lib.inference.predictor import Predictor
from lib.labels.decisions import Decision
from lib.models.bundle import Bundle, read_bundle
from lib.models.runtimes import Networks
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import absolute

if TYPE_CHECKING:
    from lib.inference.neighbours import LabelledItems  # it needs delta-rs

THREADS = 2
BATCH = 1  # one image is what is most often asked for, and a batch is always filled
NEAREST = 5


class Classifier:
    """A bundle, ready to say what is on images."""

    def __init__(self, bundle: Bundle, storage: Storage) -> None:
        """Load the bundle's model."""
        networks = Networks(bundle, storage, device="auto", runtime="auto", threads=THREADS)
        self.bundle, self._decider = bundle, bundle.decider
        self._predictor = Predictor(bundle, networks, precision="auto", batch=BATCH)
        # whoever asks of a few images would wait longer for torch
        self._preparer = Preparer(
            bundle.info.preprocessing, ReadingConfig(), storage.config, resample=by_products
        )

    @classmethod
    def load(cls, uri: str, storage: Storage | None = None) -> Self:
        """Load the bundle of a folder.

        Args:
            uri: the folder, local or in any store.
            storage: how to reach the bundle and the images; None: as the environment says.

        Raises:
            InputError: it is not there, or cannot be used.
        """
        storage = storage or Storage(StorageConfig())
        return cls(read_bundle(uri, storage), storage)

    def predict(
        self, uris: Sequence[str], among: "LabelledItems | None" = None, nearest: int = NEAREST
    ) -> list[Prediction]:
        """Say what is on each image, as a night would.

        Args:
            uris: paths, or URIs of any store.
            among: the items of which each image's nearest are found, or None.
            nearest: how many of them.

        Raises:
            InputError: the items of `among` have no embeddings.
            ReshelveError: a store cannot be read at all, or an image takes too long to decode.
        """
        prepared: list[Prepared] = []

        def pixels() -> Iterator[Pixels]:
            for each in self._preparer.stream(map(absolute, uris), [None] * len(uris)):
                prepared.append(replace(each, pixels=None))
                if each.pixels is not None:
                    yield each.pixels

        found = self._predictor.predict(pixels())
        decided = self._decider.choose(found.probabilities)
        near = among.nearest(found.embeddings, nearest) if among else [()] * len(decided)
        rows = iter(zip(decided, found.probabilities.tolist(), near, strict=True))
        return [
            Prediction(uri=uri, error=each.error) if each.error else self._say(uri, *next(rows))
            for uri, each in zip(uris, prepared, strict=True)
        ]

    def _say(
        self,
        uri: str,
        decided: tuple[str, float, Decision],
        probabilities: list[float],
        nearest: tuple[Neighbour, ...],
    ) -> Prediction:
        path, (category_id, confidence, decision) = self.bundle.taxonomy.path, decided
        leaves = [
            Likely(category_id=leaf, category_path=path(leaf), probability=probability)
            for leaf, probability in zip(self.bundle.info.leaves, probabilities, strict=True)
        ]
        return Prediction(
            uri=uri,
            category_id=category_id,
            category_path=path(category_id),
            confidence=confidence,
            decision=decision,
            leaves=tuple(sorted(leaves, key=lambda leaf: -leaf.probability)),
            nearest=nearest,
        )
