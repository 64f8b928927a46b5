"""Which device and precision a machine offers."""

import torch

from lib.errors import InputError
from lib.models.options import Device, Precision


def pick_device(wanted: Device) -> torch.device:
    """Return the wanted device; `auto` takes a GPU where there is one.

    Raises:
        InputError: a GPU is wanted and this process sees none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("engine.device is cuda, but there is no GPU here; set it to cpu or auto")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def pick_dtype(wanted: Precision, device: torch.device) -> torch.dtype:
    """Return the wanted precision; `auto` takes bf16 where the device computes in it."""
    if wanted == "fp32" or (wanted == "auto" and not computes_bf16(device)):
        return torch.float32
    return torch.bfloat16


def computes_bf16(device: torch.device) -> bool:
    """Say whether a device computes in bf16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
