"""Pre-trained weights for a backbone: from torchvision by name, from a file or URI, or none."""

import io
import pickle
import re
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.classifier import Classifier, torchvision_models
from lib.storage.storage import Storage

FILE_SUFFIXES = (".safetensors", ".pth", ".pt")
# torchvision's densenet weights have names that its own code has outgrown: `norm.1` for `norm1`
OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


def load_backbone(
    classifier: Classifier, architecture: str, weights: str, storage: Storage
) -> None:
    """Fill a classifier's backbone; the head of the weights, made for other categories, is left.

    Args:
        classifier: filled in place.
        architecture: its torchvision name.
        weights: `none`, a torchvision weights name as `IMAGENET1K_V1`, or a file or URI that ends
            in .safetensors, .pth or .pt.
        storage: how to reach the URI.

    Raises:
        InputError: they cannot be had, or do not fit the architecture.
    """
    if weights == "none":
        return
    if weights.endswith(FILE_SUFFIXES):
        state = _read(weights, storage)
    else:
        state = _download(architecture, weights)
    state = {OLD_NAME.sub(r"\1\2", name): value for name, value in state.items()}
    backbone = classifier.backbone
    expected = backbone.state_dict()
    fitting = {name: value.to(expected[name].dtype) for name, value in state.items()
               if name in expected and value.shape == expected[name].shape}  # fmt: skip
    # counters that old files lack and that no output depends on
    missing = [n for n in expected if n not in fitting and not n.endswith("num_batches_tracked")]
    if missing:
        given = state.get(missing[0])
        shape = f"has shape {tuple(given.shape)}" if given is not None else "is not there"
        raise InputError(
            f"model.weights: {weights} does not fit {architecture}: '{missing[0]}' {shape}, "
            f"expected {tuple(expected[missing[0]].shape)} ({len(missing)} such)"
        )
    backbone.load_state_dict(fitting, strict=False)


def _read(weights: str, storage: Storage) -> dict[str, Tensor]:
    data = storage.read(weights)
    try:
        loaded: Any
        if weights.endswith(".safetensors"):
            loaded = safetensors.torch.load(data)
        else:
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  # the readers raise errors of many kinds for a damaged file
        reason = _first_line(error)
        raise InputError(f"model.weights: {weights} cannot be read: {reason}") from None
    if isinstance(loaded, dict):
        loaded = loaded.get("state_dict", loaded)
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise InputError(f"model.weights: {weights} is not a state dict of tensors")
    # DDP saves names below "module.", a bundle its backbone's below "backbone."
    return {
        name.removeprefix("module.").removeprefix("backbone."): value
        for name, value in loaded.items()
    }


def _download(architecture: str, weights: str) -> dict[str, Tensor]:
    enum = torchvision_models().get_model_weights(architecture)
    if weights not in enum.__members__:
        names = ", ".join(enum.__members__)
        raise InputError(
            f"model.weights: torchvision has no '{weights}' for {architecture}; it has {names}; "
            "a file ends in .safetensors or .pth; 'none' starts from nothing"
        )
    try:
        state: dict[str, Tensor] = enum[weights].get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"model.weights: {weights} of {architecture} cannot be had ({_first_line(error)}); "
            "fetch it elsewhere and give the file's path"
        ) from None
    return state


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def read_safetensors(uri: str, storage: Storage) -> dict[str, Tensor]:
    """Read the tensors of a file that Reshelve wrote."""
    return dict(safetensors.torch.load(storage.read(uri)))


def parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's tensors as safetensors wants them: on the CPU, each contiguous."""
    return {name: value.cpu().contiguous() for name, value in module.state_dict().items()}
