"""Where a network may be cut, and what each of its first layers takes."""

import math
import time
from dataclasses import dataclass

import psutil
import torch
import torch.distributed as dist
from torch import Tensor, nn

from lib.models.classifier import Classifier
from lib.training.dataset import MEMORY_SHARE
from lib.training.groups import layer_of
from lib.training.inputs import PHOTOS_AT_ONCE, VIEWS, Pixels

LEAST_SHARE = 0.5  # of the parameters, that the last layers hold


@dataclass(frozen=True)
class Place:
    """A layer before which a network may be cut.

    Attributes:
        layer: its name, as `blocks.5`.
        before: share of a forward pass that the layers before it take.
        feature_bytes: of what they make of a photo, in float16.
    """

    layer: str
    before: float
    feature_bytes: int


def affordable_layers(
    whole: Classifier, inputs: Pixels, training_s: float, budget_s: float
) -> list[str]:
    """Return before which layers to cut a network, the best first; the same on all workers.

    The more layers learn, the better, if there is time for all steps. Where there is not, the
    fewest that are of use leave the most time.

    Args:
        whole: in its evaluation mode from now on.
        inputs: this worker's.
        training_s: how long all steps of the whole network would take.
        budget_s: the most that they may take, features and all.
    """
    places, photo_s = find_places(whole, next(inputs.as_they_are(inputs.train[:PHOTOS_AT_ONCE])))
    photos = VIEWS * len(inputs.train) + len(inputs.validation)
    room_bytes = MEMORY_SHARE * psutil.virtual_memory().available
    seconds = [
        (1 - each.before) * training_s + each.before * photo_s * photos
        if each.feature_bytes * photos < room_bytes
        else math.inf
        for each in places
    ]
    known = torch.tensor(seconds, device=inputs.device)
    dist.all_reduce(known, op=dist.ReduceOp.MAX)
    layers = [each.layer for each in places]
    fitting = [a for a, s in zip(layers, known.tolist(), strict=True) if s < budget_s]
    return [*fitting, *layers[-1:]]


def find_places(whole: Classifier, images: Tensor) -> tuple[list[Place], float]:
    """Time a network's layers, up to the last one before which it may be cut.

    Args:
        whole: in its evaluation mode from now on.
        images: normalised, [n, 3, s, s].

    Returns:
        The places in the order of the layers; the last leaves just half of the parameters. And the
        seconds of a forward pass per photo.
    """
    reached: dict[str, tuple[float, int]] = {}
    started = 0.0

    def note(layer: str, inputs: tuple[Tensor, ...]) -> None:
        reached.setdefault(layer, (_now(images) - started, 2 * inputs[0][0].numel()))

    hooks = [
        whole.backbone.get_submodule(layer).register_forward_pre_hook(
            lambda _, inputs, layer=layer: note(layer, inputs)
        )
        for layer in _layers(whole.backbone)
    ]
    whole.eval()
    with torch.no_grad():
        for _ in range(2):  # the first one prepares
            reached.clear()
            started = _now(images)
            whole(images)
            whole_s = _now(images) - started
    for hook in hooks:
        hook.remove()
    in_order = sorted(reached.items(), key=lambda each: each[1])
    places = [Place(layer, at_s / whole_s, size) for layer, (at_s, size) in in_order]
    return places, whole_s / len(images)


def _layers(backbone: nn.Module) -> list[str]:
    """Return the layers that hold, with those after them, at least half of the parameters."""
    sizes: dict[str, int] = {}
    for name, parameter in backbone.named_parameters():
        sizes[layer_of(name)] = sizes.get(layer_of(name), 0) + parameter.numel()
    names, held, whole = [*sizes], 0, sum(sizes.values())
    while names and held < LEAST_SHARE * whole:
        held += sizes[names.pop()]
    modules = dict(backbone.named_modules())
    # before the first there is nothing to keep; `names` lacks the one that reached the half
    return [name for name in [*sizes][1 : len(names) + 1] if name in modules]


def _now(images: Tensor) -> float:
    if images.device.type == "cuda":
        torch.cuda.synchronize(images.device)
    return time.perf_counter()
