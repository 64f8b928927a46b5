"""A bundle's tensors in safetensors, for torch."""

import json
from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from lib.models.bundle import Bundle
from lib.models.bundle_arrays import ORDER, in_packed_order, read_arrays
from lib.storage.storage import Storage


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as safetensors, with their order."""
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(contiguous, {ORDER: json.dumps(list(tensors))})


def unpack(data: bytes) -> dict[str, Tensor]:
    """Return tensors in the order in which they were packed.

    Raises:
        SafetensorError: they are not safetensors.
        ValueError: the order is not that of these tensors.
    """
    return in_packed_order(data, safetensors.torch.load(data))


def read_tensors(bundle: Bundle, storage: Storage) -> dict[str, Tensor]:
    """Read a bundle's tensors as `read_arrays` does, which says what is raised."""
    arrays = read_arrays(bundle, storage)
    return {name: torch.from_numpy(value) for name, value in arrays.items()}
