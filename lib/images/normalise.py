"""From a batch of pixels to the model's numbers: the one place where that is done."""

import torch
from torch import Tensor

from lib.images.preprocessing import Preprocessing


def normalise(batch: Tensor, preprocessing: Preprocessing, dtype: torch.dtype) -> Tensor:
    """Turn uint8 [n, 3, s, s] into the model's numbers, on the device where the batch is.

    The arithmetic is done in float32 at least, whatever the result is rounded to.
    """
    exact = torch.promote_types(dtype, torch.float32)
    shape = (1, 3, 1, 1)
    mean = torch.tensor(preprocessing.mean, dtype=exact, device=batch.device).view(shape)
    std = torch.tensor(preprocessing.std, dtype=exact, device=batch.device).view(shape)
    return batch.to(exact).div_(255).sub_(mean).div_(std).to(dtype)
