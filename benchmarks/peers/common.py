"""What the peers share: arguments, the model, the transform, and a note of when rows were done."""

import argparse
import time
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torchvision.transforms import v2

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def arguments() -> argparse.Namespace:
    """Read what every peer is told."""
    return parser().parse_args()


def parser() -> argparse.ArgumentParser:
    """Return what reads it, for one that is told more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--manifest", required=True, help="Parquet with a column uri")
    parser.add_argument("--output", required=True, help="folder for Parquet")
    parser.add_argument("--notes", required=True, help="file to append to: time and rows")
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--weights", required=True, help="state dict")
    parser.add_argument("--batch-size", type=int, default=64)
    return parser


def load_model(architecture: str, weights: str) -> nn.Module:
    """Build a torchvision model with the weights of a file, in evaluation mode."""
    state = torch.load(weights, weights_only=True)
    *_, bias = state.values()  # the head's, one per category
    model: nn.Module = torchvision.models.get_model(
        architecture, weights=None, num_classes=len(bias)
    )
    model.load_state_dict(state)
    return model.eval()


def computes_bf16() -> bool:
    """Say whether the processor computes in bf16 itself; where it does not, bf16 is the slower."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def transform() -> v2.Compose:
    """Return the transform of torchvision's ImageNet weights: one image, float32 [3, 224, 224]."""
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(256, antialias=True),
            v2.CenterCrop(224),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def classify(model: nn.Module, images: Tensor) -> list[int]:
    """Return the class of each image, float32 [n, 3, 224, 224]."""
    with torch.inference_mode():
        classes: list[int] = model(images).argmax(dim=1).tolist()
    return classes


def note(path: str, rows: int) -> None:
    """Append when so many rows were classified; several processes may."""
    with Path(path).open("a") as file:
        file.write(f"{time.time()} {rows}\n")
