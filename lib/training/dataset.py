"""Labelled images as one uint8 array, decoded once and used in every epoch."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil
import pyarrow as pa
import torch
from torch import Tensor

from lib.images.preparer import Preparer
from lib.reasons import ErrorItem

# the rest is the model's, its gradients' and the other workers'
MEMORY_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class LabelledPixels:
    """Images and targets of the items that could be read, and the items that could not.

    Attributes:
        pixels: uint8 [n, 3, s, s].
        targets: int64 [n], columns of the head.
        item_ids: n ids.
        unusable: the items left out.
    """

    pixels: Tensor
    targets: Tensor
    item_ids: list[str]
    unusable: list[ErrorItem]


def load_pixels(
    items: pa.Table, category_ids: Sequence[str], size_px: int, preparer: Preparer
) -> LabelledPixels:
    """Read and decode labelled items, in memory, or in a scratch file where they do not fit."""
    column = {category_id: index for index, category_id in enumerate(category_ids)}
    store = allocate((items.num_rows, 3, size_px, size_px), np.uint8)
    targets: list[int] = []
    item_ids: list[str] = []
    unusable: list[ErrorItem] = []
    uris = items["uri"].to_pylist()
    rows = zip(items["item_id"].to_pylist(), uris, items["category_id"].to_pylist(), strict=True)
    for (item_id, uri, category_id), each in zip(
        rows, preparer.stream(uris, items["etag"].to_pylist()), strict=True
    ):
        if each.pixels is None:
            error = each.error
            assert error is not None
            unusable.append(
                ErrorItem(item_id=item_id, uri=uri, code=str(error.reason), detail=error.detail)
            )
            continue
        store[len(targets)] = torch.from_numpy(each.pixels)
        targets.append(column[category_id])
        item_ids.append(item_id)
    return LabelledPixels(
        pixels=store[: len(targets)],
        targets=torch.tensor(targets, dtype=torch.int64),
        item_ids=item_ids,
        unusable=unusable,
    )


def allocate(shape: tuple[int, ...], dtype: type[np.uint8 | np.float16]) -> Tensor:
    """Return room for an array: memory, or a scratch file where it does not fit."""
    size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size_bytes < MEMORY_SHARE * psutil.virtual_memory().available:
        return torch.from_numpy(np.empty(shape, dtype))
    # unlinked at once: the space is free again when the process ends, however it ends
    with tempfile.TemporaryFile() as file:
        return torch.from_numpy(np.memmap(file, dtype=dtype, mode="w+", shape=shape))
