"""Which parameters learn at which rate: the nearer a layer is to the head, the faster."""

from typing import Any

from lib.models.classifier import Classifier


def parameter_groups(model: Classifier, layer_decay: float) -> list[dict[str, Any]]:
    """Group a classifier's parameters by depth, each group with its `factor` of the rate.

    A layer is what a network's own names say it is: `blocks.3`, `layer2.0`, `features.5`.
    Layer-wise rates keep what the first layers know (Howard and Ruder 2018, "Universal Language
    Model Fine-tuning for Text Classification", https://arxiv.org/abs/1801.06146).

    Args:
        model: with its parameters in the order in which they are used.
        layer_decay: the factor from each layer to the one before it.

    Returns:
        Groups for an optimizer: `params`, `factor`, `weight_decay` 0 for norms and biases, and
        `is_head`.
    """
    layers = list(dict.fromkeys(layer_of(name) for name, _ in model.backbone.named_parameters()))
    groups: dict[tuple[str, bool], list[Any]] = {}
    for name, parameter in model.backbone.named_parameters():
        groups.setdefault((layer_of(name), parameter.ndim > 1), []).append(parameter)
    found: list[dict[str, Any]] = [
        {
            "params": parameters,
            "factor": layer_decay ** (len(layers) - 1 - layers.index(layer)),
            "is_head": False,
            **({} if decays else {"weight_decay": 0.0}),
        }
        for (layer, decays), parameters in groups.items()
    ]
    return [*found, {"params": list(model.head.parameters()), "factor": 1.0, "is_head": True}]


def layer_of(name: str) -> str:
    """Return the layer of a backbone's parameter, by its name."""
    first, second, *_ = [*name.split("."), ""]
    return f"{first}.{second}" if second.isdigit() else first
