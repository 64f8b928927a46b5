"""A text encoder in the place of n-grams: a small transformer, on CPUs (pip: reshelve[text])."""

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lib.errors import InputError
from lib.names.encoder_files import EncoderFiles, refuse_without_extra
from lib.names.features import TitleFeatures, Vectors
from lib.names.text import words_of
from lib.storage.storage import Storage

BATCH = 64
# a longer title is cut before it is taken apart, and then to the tokens that the encoder can take
MOST_LETTERS = 4_096


class TextEncoder:
    """Makes a vector of each title; threads may share it."""

    def __init__(self, files: EncoderFiles, storage: Storage) -> None:
        """Load it from its files alone: nothing is looked up elsewhere, and no code is run.

        Raises:
            InputError: a file is damaged, or what reads encoders is not installed, or fails.
        """
        refuse_without_extra(files.uri)
        files.check(storage)
        self.files: EncoderFiles | None = files
        self._lock = threading.Lock()  # a tokenizer serves one thread
        with tempfile.TemporaryDirectory(prefix="reshelve-encoder-") as folder:
            for path in files.digests:
                place = Path(folder, path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(files.read(path, storage))
            try:
                self._model = _load(folder)
                (vector,) = self._vectors(["a title"])
            except Exception as error:  # noqa: BLE001  # whatever these libraries say of odd settings
                raise _unusable(files, " ".join(str(error).split())) from None
        if not np.isfinite(vector).all():
            raise _unusable(files, "what it gives is not finite")
        self.width = len(vector)

    def encode(self, names: Sequence[str | None]) -> TitleFeatures:
        """Return vectors of titles, of length 1; a title without a letter or digit says nothing."""
        says = np.array([bool(words_of(name)) for name in names], np.bool_)
        matrix = np.zeros((len(names), self.width), np.float32)
        if said := [name[:MOST_LETTERS] for name in names if name and words_of(name)]:
            with self._lock:
                matrix[says] = self._vectors(said)
        return TitleFeatures(encoder=self, matrix=matrix, says=says)

    def _vectors(self, titles: list[str]) -> Vectors:
        found: Vectors = self._model.encode(
            titles, batch_size=BATCH, show_progress_bar=False, normalize_embeddings=True
        )
        return found


def _load(folder: str) -> Any:  # noqa: ANN401  # an optional package
    import torch  # noqa: PLC0415  # takes seconds
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # optional, and slow
    from transformers.utils import logging  # noqa: PLC0415  # as above

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    # what a file lacks is drawn by torch: the same at each load
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SentenceTransformer(
            folder,
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )


def _unusable(files: EncoderFiles, why: str) -> InputError:
    return InputError(f"{files.uri}: this text encoder cannot be used: {why:.300}")
