"""How alike embeddings are: their cosine, in float32."""

from typing import Any

import numpy as np

from lib.embeddings.store import Embeddings

Floats = np.ndarray[Any, np.dtype[np.float32]]


def unit_length(vectors: Embeddings) -> Floats:
    """Scale embeddings [n, d] to length 1, in float32; one of nothing but zeros stays."""
    exact = vectors.astype(np.float32)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    scaled: Floats = exact / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled


def cosine(matrix: Embeddings, vector: Embeddings) -> Floats:
    """Return the cosine of each row, float16 [n, d], with a vector, float16 [d]."""
    found: Floats = cosines(matrix, vector[None])[0]
    return found


def cosines(matrix: Embeddings, vectors: Embeddings) -> Floats:
    """Return the cosines of m vectors, float16 [m, d], with n rows, float16 [n, d]: [m, n]."""
    rows, others = matrix.astype(np.float32), vectors.astype(np.float32)
    # cheaper than `unit_length`: the products are scaled, not all values
    lengths = np.linalg.norm(others, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    # what has no length, or no number in it, is like nothing
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = others @ rows.T / lengths
    found: Floats = np.nan_to_num(shares, nan=-1.0, posinf=-1.0, neginf=-1.0)
    return found
