"""Held-out items as a model sees them: what its calibration and its evaluation are made of."""

from dataclasses import dataclass

from torch import Tensor

from lib.report.data import ErrorItem


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Held-out items under the best model.

    Attributes:
        item_ids: n ids.
        logits: float32 [n, categories].
        targets: int64 [n].
        unusable: items of both sides that could not be read.
        train_items: how many items were trained on.
    """

    item_ids: list[str]
    logits: Tensor
    targets: Tensor
    unusable: list[ErrorItem]
    train_items: int
