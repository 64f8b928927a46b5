"""Which device and precision a machine offers; torch is imported where there is a GPU."""

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING

from lib.errors import InputError
from lib.models.options import Device, Precision

if TYPE_CHECKING:
    import torch  # takes seconds

CPUS = Path("/proc/cpuinfo")


def count_gpus() -> int:
    """Return the number of NVIDIA's GPUs that this process may see, as their driver counts them."""
    count = ctypes.c_int()
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0  # a driver without a GPU, or with none that may be seen
    return count.value


def takes_gpu(wanted: Device) -> bool:
    """Say whether a GPU is taken; `auto` takes one where there is one that torch can use.

    Raises:
        InputError: a GPU is wanted and this process sees none.
    """
    found = wanted != "cpu" and count_gpus() > 0 and _torch_sees_one()
    if wanted == "cuda" and not found:
        raise InputError("engine.device is cuda, but there is no GPU here; set it to cpu or auto")
    return found


def _torch_sees_one() -> bool:
    import torch  # noqa: PLC0415  # takes seconds

    return torch.cuda.is_available()


def pick_device(wanted: Device) -> "torch.device":
    """Return the wanted device, for torch; raises as `takes_gpu`."""
    import torch  # noqa: PLC0415  # as above

    return torch.device("cuda" if takes_gpu(wanted) else "cpu")


def pick_dtype(wanted: Precision, device: "torch.device") -> "torch.dtype":
    """Return the wanted precision; `auto` takes bf16 where the device computes in it."""
    import torch  # noqa: PLC0415  # as above

    bf16 = gpu_computes_bf16() if device.type == "cuda" else cpu_computes_bf16()
    return torch.bfloat16 if wanted == "bf16" or (wanted == "auto" and bf16) else torch.float32


def gpu_computes_bf16() -> bool:
    """Say whether the GPU computes in bf16 itself."""
    import torch  # noqa: PLC0415  # as above

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def cpu_computes_bf16() -> bool:
    """Say whether the CPU computes in bf16 itself, as its system tells; on Linux alone."""
    try:
        return "avx512_bf16" in CPUS.read_text().split()
    except OSError:
        return False
