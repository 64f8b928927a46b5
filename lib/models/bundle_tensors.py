"""A bundle's tensors in safetensors, and what they are looked over for before they are used."""

import json
from collections.abc import Mapping

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from lib.models.bundle import APART_BIAS, APART_WEIGHT, MODEL, Bundle, damaged, read_part
from lib.storage.storage import Storage

_ORDER = "order"  # of the tensors in the network: a file has them in one of its own


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as safetensors, with their order."""
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(contiguous, {_ORDER: json.dumps(list(tensors))})


def unpack(data: bytes) -> dict[str, Tensor]:
    """Return tensors in the order in which they were packed.

    Raises:
        SafetensorError: they are not safetensors.
        ValueError: the order is not that of these tensors.
    """
    tensors: dict[str, Tensor] = safetensors.torch.load(data)
    length = int.from_bytes(
        data[:8], "little"
    )  # the library gives no metadata of what is in memory
    order = (json.loads(data[8 : 8 + length]).get("__metadata__") or {}).get(_ORDER)
    if order is None:
        return tensors
    names = json.loads(order)
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(tensors):
        raise ValueError("its order names other tensors than it has")
    return {name: tensors[name] for name in names}


def read_tensors(bundle: Bundle, storage: Storage) -> dict[str, Tensor]:
    """Read a bundle's tensors by name; those of the head are there and fit the description.

    Raises:
        InputError: the file is not there, is not the one that bundle.json describes, or cannot be
            what a training has made.
    """
    digest = bundle.info.digests.get("model")
    data = read_part(bundle.uri, MODEL, digest, storage)
    try:
        tensors = unpack(data)
    # the library has no class of its own for a kind of number that torch lacks
    except (SafetensorError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(bundle, f"it cannot be read ({' '.join(str(error).split()):.200})") from None
    for name, value in tensors.items():
        if not is_finite(value):
            raise damaged(bundle, f"'{name}' holds a number that is not finite")
    _check_head(bundle, tensors)
    return tensors


def is_finite(value: Tensor) -> bool:
    """Say whether a tensor holds no NaN and no infinity; ten times as fast as to ask each."""
    if not value.is_floating_point() or not value.numel():
        return True
    return all(bool(end.isfinite()) for end in torch.aminmax(value.float()))


def _check_head(bundle: Bundle, tensors: Mapping[str, Tensor]) -> None:
    rows = bundle.info.category_ids
    parts = sum(len(row) for row in rows if isinstance(row, tuple))
    weight = tensors.get("head.weight", torch.empty(0))
    width = weight.shape[1] if weight.ndim == 2 else 0
    expected: dict[str, tuple[int, ...]] = {
        "head.weight": (len(rows), width),
        "head.bias": (len(rows),),
    }
    if parts or APART_WEIGHT in tensors or APART_BIAS in tensors:
        expected |= {APART_WEIGHT: (parts, width), APART_BIAS: (parts,)}
    for name, shape in expected.items():
        if name not in tensors:
            raise damaged(bundle, f"it lacks '{name}'")
        found = tensors[name]
        if found.dtype != torch.float32 or tuple(found.shape) != shape or not width:
            raise damaged(
                bundle,
                f"'{name}' is {_shown(found.dtype, found.shape)}, and the categories of "
                f"bundle.json want {_shown(torch.float32, shape)}",
            )
    # what probabilities are made of: a small temperature takes large weights beyond all numbers
    if not all(
        is_finite(tensors[n] / bundle.info.temperature) for n in ("head.weight", "head.bias")
    ):
        raise damaged(bundle, "over the temperature of bundle.json the head is not finite")


def _shown(dtype: torch.dtype, shape: tuple[int, ...]) -> str:
    return f"{str(dtype).removeprefix('torch.')} {list(shape)}"
