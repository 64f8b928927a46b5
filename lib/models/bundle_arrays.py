"""A bundle's tensors as arrays, without torch, and what they are looked over for before use."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from lib.models.bundle import APART_BIAS, APART_WEIGHT, MODEL, Bundle, damaged, read_part
from lib.storage.storage import Storage

ORDER: Final = "order"  # of the tensors in the network: a file has them in one of its own

Arrays = dict[str, NDArray[Any]]
Value = TypeVar("Value")


def unpack_arrays(data: bytes, bundle: Bundle, part: str = MODEL) -> Arrays:
    """Return the tensors of one of a bundle's files, in the order in which they were packed.

    Raises:
        InputError: they cannot be what a training has made.
    """
    try:
        return in_packed_order(data, safetensors.numpy.load(data))
    # the library has no class of its own for a kind of number that numpy lacks
    except (SafetensorError, ValueError, KeyError, AttributeError, RecursionError) as error:
        why = f"it cannot be read ({' '.join(str(error).split()):.200})"
        raise damaged(bundle, why, part) from None


def in_packed_order(data: bytes, tensors: dict[str, Value]) -> dict[str, Value]:
    """Return a file's tensors in the order in which they were packed, where it says which.

    Raises:
        ValueError: the order is not that of these tensors.
    """
    length = int.from_bytes(
        data[:8], "little"
    )  # the library gives no metadata of what is in memory
    order = (json.loads(data[8 : 8 + length]).get("__metadata__") or {}).get(ORDER)
    if order is None:
        return tensors
    names = json.loads(order)
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(tensors):
        raise ValueError("its order names other tensors than it has")
    return {name: tensors[name] for name in names}


def read_arrays(bundle: Bundle, storage: Storage) -> Arrays:
    """Read a bundle's tensors by name; those of the head are there and fit the description.

    Raises:
        InputError: the file is not there, is not the one that bundle.json describes, or cannot be
            what a training has made.
    """
    digest = bundle.info.digests.get("model")
    arrays = unpack_arrays(read_part(bundle.uri, MODEL, digest, storage), bundle)
    for name, value in arrays.items():
        if not is_finite(value):
            raise damaged(bundle, f"'{name}' holds a number that is not finite")
    _check_head(bundle, arrays)
    return arrays


def is_finite(value: NDArray[Any]) -> bool:
    """Say whether an array holds no NaN and no infinity."""
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _check_head(bundle: Bundle, arrays: Mapping[str, NDArray[Any]]) -> None:
    rows = bundle.info.category_ids
    parts = sum(len(row) for row in rows if isinstance(row, tuple))
    weight = arrays.get("head.weight", np.empty(0))
    width = weight.shape[1] if weight.ndim == 2 else 0
    expected: dict[str, tuple[int, ...]] = {
        "head.weight": (len(rows), width),
        "head.bias": (len(rows),),
    }
    if parts or APART_WEIGHT in arrays or APART_BIAS in arrays:
        expected |= {APART_WEIGHT: (parts, width), APART_BIAS: (parts,)}
    for name, shape in expected.items():
        if name not in arrays:
            raise damaged(bundle, f"it lacks '{name}'")
        found = arrays[name]
        if found.dtype != np.float32 or found.shape != shape or not width:
            raise damaged(
                bundle,
                f"'{name}' is {found.dtype} {list(found.shape)}, and the categories of "
                f"bundle.json want float32 {list(shape)}",
            )
    # what probabilities are made of: a small temperature takes large weights beyond all numbers
    with np.errstate(over="ignore"):
        scaled = [arrays[n] / bundle.info.temperature for n in ("head.weight", "head.bias")]
    if not all(map(is_finite, scaled)):
        raise damaged(bundle, "over the temperature of bundle.json the head is not finite")
