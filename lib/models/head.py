"""The head: from embeddings to calibrated probabilities of leaves."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, Row, leaves_of
from lib.models.bundle_tensors import read_tensors
from lib.storage.storage import Storage


def raise_to(embeddings: Tensor, power: float) -> Tensor:
    """Raise embeddings to a power, their sign kept; 1 changes nothing.

    Args:
        embeddings: float32 [n, d].
        power: 0 to 1.
    """
    return embeddings if power == 1 else embeddings.sign() * embeddings.abs().pow(power)


@dataclass(frozen=True)
class Head:
    """A linear layer, a temperature, and what each of its rows stands for.

    Rows of one leaf add up, so categories are merged without fitting. A row that is split shares
    its probability among its parts, so all others stay what they were.

    Attributes:
        weight: float32 [rows, d].
        bias: float32 [rows].
        rows: the leaf of each row, or the leaves that it is split into.
        temperature: what logits are divided by.
        apart_weight: float32 [parts, d], what tells the parts of split rows apart, in order.
        apart_bias: float32 [parts].
        power: to which embeddings are raised before all else.
    """

    weight: Tensor
    bias: Tensor
    rows: tuple[Row, ...]
    temperature: float
    apart_weight: Tensor
    apart_bias: Tensor
    power: float = 1.0

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """The leaves, in the order of the columns of what `probabilities` gives."""
        return leaves_of(self.rows)

    @cached_property
    def _scaled(self) -> tuple[Tensor, Tensor]:
        return self.weight / self.temperature, self.bias / self.temperature

    @cached_property
    def _whole(self) -> tuple[Tensor, Tensor]:
        """Places of the rows that are not split, and the columns of their leaves."""
        whole = [
            (n, self.leaves.index(row)) for n, row in enumerate(self.rows) if row in self.leaves
        ]
        places = torch.tensor(whole, dtype=torch.int64, device=self.bias.device).reshape(-1, 2)
        return places[:, 0], places[:, 1]

    @cached_property
    def _split(self) -> list[tuple[int, slice, Tensor]]:
        """Of each split row: its place, those of its parts, and the columns of their leaves."""
        found, start = [], 0
        for place, row in enumerate(self.rows):
            if isinstance(row, tuple):
                parts = slice(start, start + len(row))
                columns = [self.leaves.index(leaf) for leaf in row]
                found.append((place, parts, torch.tensor(columns, device=self.bias.device)))
                start += len(row)
        return found

    def probabilities(self, embeddings: Tensor) -> Tensor:
        """Return calibrated probabilities.

        Args:
            embeddings: float16 [n, d], as they are kept.

        Returns:
            float32 [n, leaves].
        """
        vectors = raise_to(embeddings.float(), self.power)
        rows = torch.softmax(linear(vectors, *self._scaled), dim=1)
        if self.leaves == self.rows:
            return rows
        places, columns = self._whole
        summed = rows.new_zeros(len(rows), len(self.leaves))
        summed.index_add_(1, columns, rows[:, places])
        for place, parts, columns in self._split:
            apart = linear(vectors, self.apart_weight[parts], self.apart_bias[parts])
            shares = torch.softmax(apart, dim=1) * rows[:, place : place + 1]
            summed.index_add_(1, columns, shares)
        return summed


def read_head(bundle: Bundle, storage: Storage, device: torch.device) -> Head:
    """Read a bundle's head.

    Raises:
        InputError: the file is not there, or is not the one that bundle.json describes.
    """
    info, state = bundle.info, read_tensors(bundle, storage)
    weight, bias = state["head.weight"].to(device), state["head.bias"].to(device)
    nothing = weight.new_empty(0, weight.shape[1]), bias.new_empty(0)
    apart = state.get(APART_WEIGHT, nothing[0]), state.get(APART_BIAS, nothing[1])
    apart_weight, apart_bias = (each.to(device) for each in apart)
    return Head(
        weight, bias, info.category_ids, info.temperature, apart_weight, apart_bias, info.head_power
    )
