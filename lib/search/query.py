"""The embedding of one image, made as those of a catalog are, without a cluster."""

import os
from functools import cached_property

from lib.embeddings.store import Embeddings
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.images.preparer import Decoder, Prepared, Preparer
from lib.images.resampling import by_products
from lib.models.bundle import Bundle
from lib.models.runtimes import Network, Networks
from lib.reasons import MEANINGS
from lib.storage.storage import Storage


class ImageEmbedder:
    """A bundle's backbone, which is loaded at the first image."""

    def __init__(self, bundle: Bundle, storage: Storage) -> None:
        """Keep the bundle, and how to reach it and the images."""
        self._bundle, self._storage = bundle, storage

    def warm(self) -> None:
        """Load the network, for which the first image would wait; raises as `embed`."""
        _ = self._network

    def embed(self, uri: str) -> Embeddings:
        """Return the embedding of an image, float16 [d].

        Raises:
            InputError: it is not there, or is no image that can be used; or the bundle is damaged.
        """
        reading = ReadingConfig(threads=1, max_retries=3)
        preparer = Preparer(
            self._bundle.info.preprocessing, reading, self._storage.config, resample=by_products
        )
        return self._embed(preparer.prepare(uri, None), uri)

    def embed_file(self, data: bytes, name: str) -> Embeddings:
        """Return the embedding of an image file's bytes, which are decoded in this process.

        Args:
            data: of the file.
            name: for messages.

        Raises:
            InputError: it is no image that can be used; or the bundle is damaged.
        """
        preprocessing, limits = self._bundle.info.preprocessing, ReadingConfig().limits
        decoder = Decoder(preprocessing, limits, resample=by_products)
        return self._embed(decoder(data), name)

    def _embed(self, prepared: Prepared, name: str) -> Embeddings:
        if prepared.pixels is None:
            assert prepared.error
            meaning = MEANINGS[prepared.error.reason]
            raise InputError(f"{name}: {meaning}: {prepared.error.detail}")
        vector: Embeddings = self._network(prepared.pixels[None])[0]
        return vector

    @cached_property
    def _network(self) -> Network:
        threads = len(os.sched_getaffinity(0))
        networks = Networks(
            self._bundle, self._storage, device="auto", runtime="auto", threads=threads
        )
        return networks.open("fp32", 1, networks.open_head().width)
