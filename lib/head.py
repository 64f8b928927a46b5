"""The head: from embeddings to calibrated probabilities of leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import linear


@dataclass(frozen=True)
class Head:
    """A linear layer, a temperature, and the leaf that each of its rows stands for.

    Rows of one leaf add up: a head whose categories were merged needs no fitting.

    Attributes:
        weight: float32 [rows, d].
        bias: float32 [rows].
        category_ids: of each row; the leaves are their distinct values, in this order.
        temperature: what logits are divided by.
    """

    weight: Tensor
    bias: Tensor
    category_ids: Sequence[str]
    temperature: float

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """The leaves, in the order of the columns of what `probabilities` gives."""
        return tuple(dict.fromkeys(self.category_ids))

    @cached_property
    def _columns(self) -> Tensor:
        place = {leaf: column for column, leaf in enumerate(self.leaves)}
        return torch.tensor([place[c] for c in self.category_ids], device=self.bias.device)

    @cached_property
    def _scaled(self) -> tuple[Tensor, Tensor]:
        return self.weight / self.temperature, self.bias / self.temperature

    def probabilities(self, embeddings: Tensor) -> Tensor:
        """Give calibrated probabilities.

        Args:
            embeddings: float16 [n, d], as they are kept.

        Returns:
            float32 [n, leaves].
        """
        rows = torch.softmax(linear(embeddings.float(), *self._scaled), dim=1)
        if len(self.leaves) == len(self.category_ids):
            return rows
        summed = rows.new_zeros(len(rows), len(self.leaves))
        return summed.index_add_(1, self._columns, rows)
