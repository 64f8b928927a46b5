"""The head on a CPU, without torch, whose import takes longer than a few images."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lib.embeddings.cosine import Floats
from lib.embeddings.store import Embeddings
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, Row, leaves_of
from lib.models.bundle_arrays import read_arrays
from lib.models.int8 import Probabilities
from lib.storage.storage import Storage


@dataclass(frozen=True)
class CpuHead:
    """Gives what `lib.models.head.Head` gives, whose attributes these are, as arrays."""

    weight: Floats
    bias: Floats
    rows: tuple[Row, ...]
    temperature: float
    apart_weight: Floats
    apart_bias: Floats
    power: float

    @cached_property
    def _scaled(self) -> tuple[Floats, Floats]:
        temperature = np.float32(self.temperature)
        return self.weight / temperature, self.bias / temperature

    @cached_property
    def _leaves(self) -> tuple[str, ...]:
        return leaves_of(self.rows)

    @cached_property
    def _whole(self) -> tuple[list[int], list[int]]:
        """Places of the rows that are not split, and the columns of their leaves."""
        column = {leaf: place for place, leaf in enumerate(self._leaves)}
        whole = [(place, row) for place, row in enumerate(self.rows) if isinstance(row, str)]
        return [place for place, _ in whole], [column[row] for _, row in whole]

    @property
    def width(self) -> int:
        """Numbers of an embedding."""
        return int(self.weight.shape[1])

    def probabilities(self, embeddings: Embeddings) -> Probabilities:
        """Return calibrated probabilities.

        Args:
            embeddings: float16 [n, d], as they are kept.

        Returns:
            float32 [n, leaves], columns as `leaves_of` has them.
        """
        vectors = embeddings.astype(np.float32)
        if self.power != 1:
            vectors = np.sign(vectors) * np.abs(vectors) ** np.float32(self.power)
        weight, bias = self._scaled
        rows = _softmax(vectors @ weight.T + bias)
        if self._leaves == self.rows:
            return rows
        places, columns = self._whole
        summed = np.zeros((len(rows), len(self._leaves)), np.float32)
        np.add.at(summed.T, columns, rows.T[places])
        start = 0
        for place, row in enumerate(self.rows):
            if isinstance(row, tuple):
                parts = slice(start, start + len(row))
                apart = vectors @ self.apart_weight[parts].T + self.apart_bias[parts]
                own = [self._leaves.index(leaf) for leaf in row]
                np.add.at(summed.T, own, (_softmax(apart) * rows[:, place : place + 1]).T)
                start += len(row)
        return summed


def _softmax(logits: Floats) -> Floats:
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def read_cpu_head(bundle: Bundle, storage: Storage) -> CpuHead:
    """Read a bundle's head.

    Raises:
        InputError: as `read_arrays`.
    """
    info, arrays = bundle.info, read_arrays(bundle, storage)
    weight, bias = arrays["head.weight"], arrays["head.bias"]
    return CpuHead(
        weight,
        bias,
        info.category_ids,
        info.temperature,
        arrays.get(APART_WEIGHT, weight[:0]),
        arrays.get(APART_BIAS, bias[:0]),
        info.head_power,
    )
