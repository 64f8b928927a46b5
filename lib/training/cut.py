"""A network cut in two: first layers that stay as they are, and last ones that learn."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lib.models.classifier import Classifier

TOLERANCE = 1e-4  # of logits, relative: what another order of additions changes


@dataclass(frozen=True)
class Cut:
    """Where a classifier is cut.

    Attributes:
        layer: name of the first of the last layers, as `blocks.5`.
        whole: the classifier; its first layers make the features.
        last: its last layers, a classifier of features with the same names of parameters.
    """

    layer: str
    whole: Classifier
    last: Classifier

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return what the first layers make of normalised images [n, 3, s, s]."""
        features, _ = _until(self.whole, self.layer, images)
        return features[0]


def find_cut(whole: Classifier, layer: str, size_px: int) -> Cut | None:
    """Cut a classifier before a layer.

    Args:
        whole: in its evaluation mode from now on.
        layer: the first of the last layers.
        size_px: side of its input.

    Returns:
        None where the two parts do not give what the whole gives, as where a network passes more
        than one tensor from layer to layer.
    """
    backbone = whole.backbone
    whole.eval()
    weight = whole.head.weight
    images = torch.randn(2, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))
    images = images.to(weight.device)
    with torch.no_grad():
        features, before = _until(whole, layer, images)
        if len(features) != 1:
            return None
        last = copy.deepcopy(whole)
        for name in before:
            parent, _, child = name.rpartition(".")
            setattr(last.backbone.get_submodule(parent), child, nn.Identity())
        try:
            again, expected = last.backbone(*features), backbone(images)
        except Exception:  # noqa: BLE001  # each network says in its own way that these are no pixels
            return None
    same = again.shape == expected.shape and torch.allclose(
        again, expected, rtol=TOLERANCE, atol=TOLERANCE * float(expected.abs().max())
    )
    return Cut(layer, whole, last) if same else None


class _ReachedError(Exception):
    """The layer before which a network is cut is to be computed."""


def _until(whole: Classifier, layer: str, images: Tensor) -> tuple[list[Tensor], list[str]]:
    """Return what a layer is given, and the modules that have been computed until then."""
    backbone, done = whole.backbone, list[str]()
    given: list[Tensor] = []

    def stop(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        given.extend(inputs)
        raise _ReachedError

    hooks: list[Any] = [backbone.get_submodule(layer).register_forward_pre_hook(stop)]
    for name, module in backbone.named_modules():
        hooks.append(module.register_forward_hook(lambda *_, name=name: done.append(name)))
    try:
        backbone(images)
    except _ReachedError:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return given, done
