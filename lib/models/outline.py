"""A network's outline: its tensors' names, shapes and kinds, before memory is taken for them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lib.errors import InputError
from lib.models.classifier import Classifier, bare_backbone, remove_head
from lib.models.timm_models import PREFIX

_ALLOCATING = (torch.empty, torch.zeros, torch.ones)
_DRAWING = ("normal_", "uniform_")  # slow on the meta device, and without use


def outline_of(architecture: str, categories: int, width: int, size_px: int) -> Classifier | None:
    """Build a classifier of tensors without data, on the meta device.

    Args:
        architecture: as `build_classifier` takes it.
        categories: outputs of the head.
        width: its inputs.
        size_px: side of the square input.

    Returns:
        The classifier; None where its code cannot build it so.

    Raises:
        InputError: the library has no such model.
    """
    try:
        with _without_memory(architecture):
            backbone = bare_backbone(architecture, size_px)
            if not architecture.startswith(PREFIX):
                remove_head(backbone)
            return Classifier(backbone, nn.Linear(width, categories))
    except InputError:
        raise
    except Exception:  # noqa: BLE001  # of any network's code; what is wrong is said as it is built
        return None


def fill(outline: Classifier, state: Mapping[str, Tensor]) -> Classifier | None:
    """Give an outline memory and the tensors that it names.

    Args:
        outline: changed in place.
        state: its tensors by name, all of them.

    Returns:
        The classifier; None where it has more tensors than these, which only its code can compute.
    """
    tensors = dict(outline.named_buffers()).keys() | dict(outline.named_parameters()).keys()
    apart = any(isinstance(v, Tensor) for m in outline.modules() for v in vars(m).values())
    if apart or tensors - state.keys():
        return None
    filled = outline.to_empty(device="cpu")
    filled.load_state_dict(dict(state))
    return filled


class _Undrawn(TorchFunctionMode):
    """Draws no random numbers; where `allocating`, puts on the meta device what is allocated."""

    def __init__(self, *, allocating: bool = False) -> None:
        """Say whether to."""
        super().__init__()
        self._options = {"device": "meta"} if allocating else {}

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401  # as torch calls it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Do what is asked, as torch calls it."""
        if func.__name__ in _DRAWING:
            return args[0] if args else (kwargs or {})["tensor"]
        options = self._options if func in _ALLOCATING else {}
        return func(*args, **{**(kwargs or {}), **options})


@contextmanager
def _without_memory(architecture: str) -> Iterator[None]:
    # the widths of these are computed with tensors as they are built
    computing = architecture.lower().startswith("regnet")
    where = nullcontext() if computing else torch.device("meta")
    with where, _Undrawn(allocating=computing):
        yield
