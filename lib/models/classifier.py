"""The classifier: any backbone of torchvision or timm by its name, and a linear head."""

import difflib
import importlib.metadata
from typing import Any

import torch
from torch import Tensor, nn

from lib.errors import InputError
from lib.models import timm_models


class Classifier(nn.Module):
    """A backbone that gives embeddings and a head that gives logits.

    Attributes:
        backbone: float [n, 3, s, s] to embeddings [n, d].
        head: embeddings [n, d] to logits [n, categories].
    """

    def __init__(self, backbone: nn.Module, head: nn.Linear) -> None:
        """Join a backbone without its own head to a new head."""
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised images."""
        logits: Tensor = self.head(self.backbone(images))
        return logits


def torchvision_models() -> Any:  # noqa: ANN401  # a module
    """Return torchvision's models, imported at first use: most who import this build no network."""
    import torchvision  # noqa: PLC0415  # takes two seconds

    return torchvision.models


def architectures() -> list[str]:
    """Names of torchvision's classification models."""
    models = torchvision_models()
    return list(models.list_models(module=models))


def check_architecture(architecture: str) -> None:
    """Check that torchvision has a classification model of this name.

    Raises:
        InputError: it has none; says which is near.
    """
    name, known = architecture.lower(), architectures()
    if name in known:
        return
    if name and timm_models.timm_library().models.is_model(name):
        hint = f"did you mean '{timm_models.PREFIX}{name}'?"
    elif close := difflib.get_close_matches(name, known, n=1):
        hint = f"did you mean '{close[0]}'?"
    else:
        hint = "it has resnet18, mobilenet_v3_large, convnext_tiny and others; timm's are timm/NAME"
    raise InputError(
        f"model.architecture: torchvision has no classification model '{architecture}'; {hint}"
    )


def libraries_of(architecture: str) -> dict[str, str]:
    """Return the version of the library that builds a network, by the library's name."""
    library = "timm" if architecture.startswith(timm_models.PREFIX) else "torchvision"
    return {library: importlib.metadata.version(library)}


def build_classifier(architecture: str, categories: int, size_px: int) -> Classifier:
    """Build a classifier with random weights.

    Args:
        architecture: a torchvision classification model's name, as `resnet18`, or one of timm's,
            as `timm/tf_efficientnet_lite0`.
        categories: outputs of the head.
        size_px: side of the square input; vision transformers are built for it.

    Raises:
        InputError: the library has no such model, or it cannot take images of this size.
    """
    of_timm = architecture.startswith(timm_models.PREFIX)
    try:
        backbone = bare_backbone(architecture, size_px)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _cannot_take(architecture, size_px, error) from None
    embeddings = try_size(backbone, architecture, size_px)
    backbone.train()
    if of_timm and embeddings.ndim != 2:
        raise InputError(
            f"model.architecture: {architecture} gives no single embedding per image; "
            "take one that classifies"
        )
    width = embeddings.shape[1] if of_timm else remove_head(backbone)
    return Classifier(backbone, nn.Linear(width, categories))


def bare_backbone(architecture: str, size_px: int) -> nn.Module:
    """Build a backbone with random weights; torchvision's still have their own head.

    Raises:
        InputError: the library has no such model.
        AssertionError: or another of the network's own, it cannot be built for this size.
    """
    if architecture.startswith(timm_models.PREFIX):
        name, _ = timm_models.find_name(architecture)
        return timm_models.build_backbone(name, size_px)
    check_architecture(architecture)
    return _build_torchvision(architecture.lower(), size_px)


@torch.no_grad()
def try_size(network: nn.Module, architecture: str, size_px: int) -> Tensor:
    """Show a network one image, since not every one says at once that a size is too small for it.

    Raises:
        InputError: it cannot take images of this size.
    """
    try:
        given: Tensor = network.eval()(torch.zeros(1, 3, size_px, size_px))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _cannot_take(architecture, size_px, error) from None
    return given


def _cannot_take(architecture: str, size_px: int, error: Exception) -> InputError:
    return InputError(
        f"model.preprocessing.size_px: {architecture} cannot take images of {size_px} px: "
        f"{str(error).splitlines()[0]:.200}"
    )


def _build_torchvision(name: str, size_px: int) -> nn.Module:
    options: dict[str, Any] = {}
    if name in {"inception_v3", "googlenet"}:
        options = {"aux_logits": False, "init_weights": True}
    elif name.startswith("vit_"):
        options = {"image_size": size_px}
    elif name.startswith("maxvit_"):
        options = {"input_size": (size_px, size_px)}
    backbone: nn.Module = torchvision_models().get_model(name, weights=None, **options)
    return backbone


def remove_head(model: nn.Module) -> int:
    """Put an identity where the last layer was; return that layer's input width.

    The last linear layer is the head in every torchvision family but squeezenet, whose head is
    its last convolution.
    """
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and _is_head(n)]
    convolutions = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    path = linear[-1] if linear else convolutions[-1]
    layer = model.get_submodule(path)
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())
    width: int = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels  # type: ignore[assignment]  # torch types attributes of modules as Tensor | Module
    return width


def _is_head(name: str) -> bool:
    # attention blocks have linear layers too; heads stand at one of these places
    return name.split(".", maxsplit=1)[0] in {"fc", "head", "heads", "classifier"}
