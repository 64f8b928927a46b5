"""How much memory decoding an image may take, how a process is held to it, and gives it back."""

import contextlib
import ctypes
import resource
from pathlib import Path
from typing import Final

from lib.images.formats import DecodeLimits

_M_MMAP_THRESHOLD: Final = -3  # of malloc.h
_MEMORY: Final = 2**30  # for what no limit bounds, as the stacks of threads
_MEMORY_PER_PIXEL: Final = 48  # of all formats JPEG 2000 takes most, 26, and then WebP
_MEMORY_PER_BYTE: Final = 4


def allowance(limits: DecodeLimits) -> int:
    """Return what decoding within the limits may take: about twice what images need."""
    return _MEMORY + _MEMORY_PER_PIXEL * limits.max_pixels + _MEMORY_PER_BYTE * limits.max_bytes


def limit_memory(more: int) -> None:
    """Let this process take no more than this beyond what it has; then it lacks memory."""
    with contextlib.suppress(FileNotFoundError):  # not Linux: nothing is limited
        # RLIMIT_AS would also count what CUDA and threads only reserve
        taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or taken + more < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (taken + more, hard))


def return_what_is_freed(least: int = 2**20) -> None:
    """Let blocks of so many bytes and more go back to the system as soon as they are freed.

    glibc learns from each large block that is freed to keep the next one, in an arena per thread.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, least)


def lacks_memory(error: BaseException | None) -> bool:
    """Say whether an error is one of memory that is refused."""
    return isinstance(error, MemoryError)
