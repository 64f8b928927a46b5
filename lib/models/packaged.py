"""The default network with its package's weights, by name, without timm.

A head that is fitted on kept embeddings needs a network's tensors and never runs it, and timm takes
three seconds to import.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lib.models.config import DEFAULT_ARCHITECTURE, ChosenModel
from lib.models.pretrained import PACKAGE, read_package
from lib.storage.storage import Storage

SIZE_PX, WIDTH = 224, 1280
WANTED: dict[str, Any] = {"size_px": SIZE_PX, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
_BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # of each stage
_FIRST_STAGE = ("conv_dw", "bn1", "conv_pw", "bn2")  # its block does not widen what it is given
_OTHER_STAGES = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")
_OF_A_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def is_packaged(model: ChosenModel) -> bool:
    """Say whether `packaged_classifier` is this network with its weights, at the size they want."""
    chosen = (model.architecture, model.weights, model.preprocessing.size_px)
    return chosen == (DEFAULT_ARCHITECTURE, PACKAGE, SIZE_PX)


def packaged_classifier(categories: int, storage: Storage) -> dict[str, Tensor]:
    """Return the tensors of the classifier that `build_classifier` builds, in its order.

    Its backbone has the package's weights, its head is zero.

    Args:
        categories: outputs of the head.
        storage: how to reach the package's file.
    """
    given = read_package(storage)  # in timm's order; its own head comes last
    backbone = dict(zip(_names(), given.values(), strict=False))
    return {
        **{f"backbone.{name}": value for name, value in backbone.items()},
        "head.weight": torch.zeros(categories, WIDTH),
        "head.bias": torch.zeros(categories),
    }


def _names() -> Iterator[str]:
    """Yield the names of the backbone's tensors, as timm has them."""
    layers = ["conv_stem", "bn1"]
    for stage, blocks in enumerate(_BLOCKS):
        of_block = _OTHER_STAGES if stage else _FIRST_STAGE
        layers += [f"blocks.{stage}.{n}.{layer}" for n in range(blocks) for layer in of_block]
    for layer in [*layers, "conv_head", "bn2"]:
        is_norm = layer.rpartition(".")[2].startswith("bn")
        for each in _OF_A_NORM if is_norm else ("weight",):
            yield f"{layer}.{each}"
