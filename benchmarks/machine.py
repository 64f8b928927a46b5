"""What a figure was measured on: the processor, its matrix units, and what its cores are."""

import os
import platform
import re
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")


def processor() -> str:
    """Name this machine's processor, what it multiplies matrices with, and its cores."""
    described = Path("/proc/cpuinfo")
    text = described.read_text() if described.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else platform.processor() or platform.machine()
    vectors = "AVX-512" if "avx512f" in text else "no AVX-512"
    return f"{name}, {vectors}, {'with' if has_amx() else 'without'} AMX, {cores()}"


def has_amx() -> bool:
    """Say whether the processor multiplies matrices of int8 by itself."""
    described = Path("/proc/cpuinfo")
    return described.exists() and "amx_int8" in described.read_text()


def cores(cpus: Path = CPUS) -> str:
    """Say how many cores there are, and whether several are threads of one.

    Args:
        cpus: the kernel's folder of processors.
    """
    found = [path.read_text().strip() for path in cpus.glob("cpu*/topology/thread_siblings_list")]
    threads = len(found) or os.cpu_count() or 1
    real = len(set(found)) or threads
    cores = f"{real} core{'s' * (real > 1)}"
    return cores if real == threads else f"{threads} threads of {cores}"
