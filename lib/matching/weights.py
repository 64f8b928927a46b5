"""How much each word and gram says: rare ones more (TF-IDF)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lib.matching.name_table import COLUMNS, Floats, Matrix, NameTable


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weight of each hashed column, float32 [2^20]: ln((1 + n) / (1 + titles that have it))."""

    words: Floats
    grams: Floats

    @classmethod
    def of(cls, tables: Sequence[NameTable]) -> "Weights":
        """Count in how many titles each word and gram stands."""
        titles = sum(map(len, tables))

        def weigh(matrices: Sequence[Matrix]) -> Floats:
            count = sum(np.bincount(each.indices, minlength=COLUMNS) for each in matrices)
            return (np.log((1.0 + titles) / (1.0 + count)) + 0.01).astype(np.float32)

        return cls(
            words=weigh([each.words for each in tables]),
            grams=weigh([each.grams for each in tables]),
        )

    def weigh_words(self, table: NameTable) -> Matrix:
        """Return rows of length 1."""
        return unit_rows(_times(table.words, self.words))

    def weigh_grams(self, table: NameTable) -> Matrix:
        """Return rows of length 1."""
        return unit_rows(_times(table.grams, self.grams))


def _times(matrix: Matrix, weight: Floats) -> Matrix:
    data = matrix.data * weight[matrix.indices]
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def unit_rows(matrix: Matrix) -> Matrix:
    """Scale each row to length 1; an empty one stays."""
    squares = sparse.csr_array((matrix.data**2, matrix.indices, matrix.indptr), shape=matrix.shape)
    length = np.sqrt(np.maximum(squares.sum(axis=1), 1e-12)).astype(np.float32)
    data = matrix.data / np.repeat(length, np.diff(matrix.indptr))
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
