"""The seam between titles and their classifier: what makes features of titles, and the features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lib.names.encoder_files import EncoderFiles

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Vectors = np.ndarray[Any, np.dtype[np.float32]]


class TitleEncoder(Protocol):
    """Makes features of titles; a bundle says which one its classifier was fitted with.

    Attributes:
        width: features of each title.
        files: what a bundle has to keep of it, or None for nothing.
    """

    width: int
    files: EncoderFiles | None

    def encode(self, names: Sequence[str | None]) -> "TitleFeatures":
        """Return the features of titles; None for none."""


@dataclass(frozen=True, kw_only=True)
class TitleFeatures:
    """The features of n titles.

    Attributes:
        encoder: what has made them.
        matrix: [n, width], sparse, or float32; rows of length 1, or of zeros.
        says: bool [n], whether a title says anything; of the others the row means nothing.
    """

    encoder: TitleEncoder
    matrix: "csr_matrix | Vectors"
    says: Bools

    def rows(self, chosen: Ints | Bools) -> "TitleFeatures":
        """Return those of some titles."""
        return replace(self, matrix=self.matrix[chosen], says=self.says[chosen])
