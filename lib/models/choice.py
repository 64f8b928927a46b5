"""What a run file leaves open about the network: its weights, and what these want to be shown."""

from typing import Any

from lib.errors import InputError
from lib.images.preprocessing import Preprocessing
from lib.models import timm_models
from lib.models.classifier import check_architecture, torchvision_models
from lib.models.config import DEFAULT_ARCHITECTURE, FILE_SUFFIXES, ChosenModel, ModelConfig
from lib.models.hub import HUB, read_hub_config
from lib.models.packaged import WANTED
from lib.models.pretrained import PACKAGE

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE_PX = 224
Wanted = dict[str, Any]  # size_px, mean and std of what weights were trained on


def choose_model(config: ModelConfig) -> ChosenModel:
    """Settle what a run file leaves open.

    Weights that are not named are the package's for the default network, timm's first choice for
    any other of its networks, and none for torchvision's.

    Raises:
        InputError: a name is not known, or belongs to another network.
    """
    if config.architecture == DEFAULT_ARCHITECTURE and config.weights in {None, PACKAGE}:
        architecture, weights, wanted = config.architecture, PACKAGE, WANTED
    elif config.architecture.startswith(timm_models.PREFIX):
        name, tag = timm_models.find_name(config.architecture)
        architecture = timm_models.PREFIX + name
        weights, wanted = _from_timm(name, tag, config.weights)
    else:
        architecture, weights = config.architecture, config.weights or "none"
        check_architecture(architecture)
        wanted = _from_torchvision(architecture, weights)
    said = config.preprocessing.model_dump(exclude_none=True)
    # weights have learned from centred squares; without any, no product loses its edges
    fit = {"fit": "pad" if weights == "none" else "crop"}
    return ChosenModel(
        architecture=architecture,
        weights=weights,
        preprocessing=Preprocessing.model_validate({**wanted, **fit, **said}),
    )


def _from_timm(name: str, tag: str, weights: str | None) -> tuple[str, Wanted]:
    """Return the weights' name, and what they want."""
    architecture = timm_models.PREFIX + name
    own = timm_models.pretrained_of(name, tag)
    if weights is None:
        packaged = architecture == DEFAULT_ARCHITECTURE and not tag
        weights = PACKAGE if packaged else tag or "default"
    if weights == PACKAGE and architecture != DEFAULT_ARCHITECTURE:
        raise InputError(
            f"model.weights: '{PACKAGE}' has the weights of {DEFAULT_ARCHITECTURE} alone, "
            f"not of {architecture}"
        )
    if weights.startswith(HUB):
        found = read_hub_config(weights)
        if (theirs := found["architecture"]) != name:
            raise InputError(
                f"model.weights: {weights} are of {timm_models.PREFIX}{theirs}, "
                f"not of {architecture}"
            )
        return weights, _wanted(found)
    if weights in {PACKAGE, "none"} or weights.endswith(FILE_SUFFIXES):
        return weights, _wanted(own.to_dict())
    if weights == "default":
        if not own.has_weights:
            raise InputError(
                f"model.weights: timm has no weights for {name}; give a file's path, a hub id as "
                f"{HUB}ORG/NAME, or 'none' to start from nothing"
            )
        return own.tag or weights, _wanted(own.to_dict())
    if tag and tag != weights:
        raise InputError(
            f"model.weights: '{weights}' and model.architecture's '.{tag}' are not the same "
            "weights; leave one of them out"
        )
    return weights, _wanted(timm_models.pretrained_of(name, weights).to_dict())


def _from_torchvision(architecture: str, weights: str) -> Wanted:
    if weights.startswith(HUB) or weights == PACKAGE:
        raise InputError(
            f"model.weights: '{weights}' is for a network of timm, and '{architecture}' is "
            f"torchvision's; expected model.architecture: {timm_models.PREFIX}NAME"
        )
    wanted = {"size_px": SIZE_PX, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    known = torchvision_models().get_model_weights(architecture).__members__
    if weights in known:
        transforms = known[weights].transforms()
        wanted = {"size_px": transforms.crop_size[0], "mean": transforms.mean,
                  "std": transforms.std}  # fmt: skip
    return wanted


def _wanted(found: dict[str, Any]) -> Wanted:
    size_px = found.get("input_size", (3, SIZE_PX, SIZE_PX))[-1]
    mean, std = found.get("mean", IMAGENET_MEAN), found.get("std", IMAGENET_STD)
    return {"size_px": size_px, "mean": mean, "std": std}
