"""A decoder that dies, or never ends, on files that hold a mark; and who is to use it."""

import ctypes
import os
import signal
import threading
from functools import partial

from torch import Tensor

import lib.unit
from lib import images
from lib.images import DecodeLimits
from lib.prepare import Decode, Preparer, ReadingConfig
from lib.storage import StorageConfig
from lib.unit import UnitClassifier, UnitJob
from tests import catalogs

SEGFAULT, ABORT, EXIT, KILL = b"-segfault-", b"-abort-", b"-exit-", b"-kill-"
HANG, HOLD = b"-hang-", b"-hold-"
FAULT = b"-fault-"
RELEASED = threading.Event()  # a test that hangs a thread of its own process must let it go


def decode(data: bytes, limits: DecodeLimits) -> Tensor:
    if SEGFAULT in data:
        ctypes.string_at(0)
    if ABORT in data:
        os.abort()
    if EXIT in data:
        os._exit(3)
    if KILL in data:  # as the kernel does where memory runs out
        os.kill(os.getpid(), signal.SIGKILL)
    if HANG in data:
        RELEASED.wait()
    if HOLD in data:  # native code that hangs and keeps the interpreter's lock
        ctypes.PyDLL(None).sleep(3600)
    if FAULT in data:
        raise ZeroDivisionError("a fault of our own")
    return images.decode(data, limits)


def decode_and_say_where(data: bytes, limits: DecodeLimits) -> Tensor:
    """Decode, and leave the process's id in the file that the data names after its mark."""
    for mark in (HANG, HOLD):
        if mark in data:
            with open(data.split(mark)[1], "w") as file:  # noqa: PTH123  # the name is bytes
                file.write(str(os.getpid()))
    return decode(data, limits)


def preparer_of(decode: Decode = decode, timeout_s: float = 4) -> Preparer:
    reading = ReadingConfig(threads=4, timeout_s=timeout_s)
    return Preparer(catalogs.PREPROCESSING, reading, StorageConfig(), decode)


def classifier_of(bundle_uri: str, run_uri: str = "", plan_uri: str = "") -> UnitClassifier:
    return UnitClassifier(
        UnitJob(
            run_id="night",
            run_uri=run_uri,
            plan_uri=plan_uri,
            bundle_uri=bundle_uri,
            storage=StorageConfig(),
            reading=ReadingConfig(threads=4),
            device="cpu",
            precision="fp32",
            batch_size=8,
            threads=1,
        )
    )


def install() -> None:
    """Give this process's units the decoder; for Ray's `worker_process_setup_hook`."""
    lib.unit.Preparer = partial(Preparer, decode=decode)  # type: ignore[assignment, attr-defined]  # the units look there
