"""Stores of embeddings to be searched, made in code."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from lib.embeddings.store import Embeddings, EmbeddingStore, to_table
from tests.helpers.catalogs import LOCAL

WIDTH = 32


def vectors(count: int, seed: int) -> Embeddings:
    """Draw embeddings, float16 [count, WIDTH]."""
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float16)


def append(folder: Path, digest: str, name: str, count: int, seed: int = 0) -> None:
    """Append embeddings to the store of a backbone."""
    uris = pa.chunked_array([[f"{name}-{n:05d}.png" for n in range(count)]])
    etags = pa.chunked_array([pa.nulls(count, pa.string())])
    store = EmbeddingStore(str(folder), digest, LOCAL)
    store.append(name, [to_table(uris, etags, vectors(count, seed))])
