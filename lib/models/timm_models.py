"""timm's networks by their names: `NAME`, or `NAME.TAG` with the tag of their weights."""

import difflib
from typing import Any

from torch import nn

from lib.errors import InputError

PREFIX = "timm/"  # of an architecture's name


def timm_library() -> Any:  # noqa: ANN401  # a module
    """Return timm, imported at first use: it takes seconds, and few processes build a network."""
    import timm  # noqa: PLC0415

    return timm


def find_name(architecture: str) -> tuple[str, str]:
    """Return the name by which timm knows a network today, and the tag of its weights or "".

    Args:
        architecture: `timm/NAME` or `timm/NAME.TAG`; a name that timm has given up is followed.

    Raises:
        InputError: timm has no such network; says which is near.
    """
    models = timm_library().models
    asked = architecture.removeprefix(PREFIX)
    renamed = models.get_deprecated_models()
    name, _, tag = asked.partition(".")
    if name in renamed:
        if renamed[name] is None:
            raise InputError(f"model.architecture: timm has removed '{name}' without a successor")
        name, _, current_tag = renamed[name].partition(".")
        tag = tag or current_tag
    if not name or not models.is_model(name):
        raise InputError(f"model.architecture: timm has no '{asked}'; {near(name)}")
    return name, tag


def near(name: str) -> str:
    """Say which of timm's names is near one that it does not have."""
    close = difflib.get_close_matches(name.lower(), timm_library().list_models(), n=1)
    if close:
        return f"did you mean '{PREFIX}{close[0]}'?"
    return "it has tf_efficientnet_lite0, resnet50, convnext_tiny, vit_base_patch16_224 and others"


def pretrained_of(name: str, tag: str = "") -> Any:  # noqa: ANN401  # timm's PretrainedCfg
    """Return what timm knows of weights: where they are, and what they were trained on.

    Args:
        name: a network's name.
        tag: of its weights; "" for timm's first choice.

    Raises:
        InputError: timm has no such weights; says which it has.
    """
    models = timm_library().models
    known = [each.partition(".")[2] for each in models.list_pretrained(f"{name}.*")]
    if tag and tag not in known:
        has = f"it has {', '.join(known)}" if known else "it has none for it"
        raise InputError(
            f"model.weights: timm has no '{tag}' for {name}; {has}; "
            "a file ends in .safetensors or .pth; 'none' starts from nothing"
        )
    return models.get_pretrained_cfg(f"{name}.{tag}" if tag else name, allow_unregistered=False)


def build_backbone(name: str, size_px: int) -> nn.Module:
    """Build a network without its head, with random weights: [n, 3, s, s] to [n, d].

    Args:
        name: as timm knows it today, without a tag.
        size_px: side of the square input; networks of one size are built for it.
    """
    timm = timm_library()
    options: dict[str, Any] = {}
    # else its size would be that of timm's first choice of weights, which changes between versions
    if pretrained_of(name).fixed_input_size:
        options["img_size"] = size_px
    backbone: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    return backbone
