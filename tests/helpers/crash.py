"""A decoder that dies, or never ends, on files that hold a mark; and who is to use it."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import psutil

import lib.images.decode
import lib.inference.classify_unit
from lib.images.config import ReadingConfig
from lib.images.device_preparer import DevicePreparer
from lib.images.formats import DecodeLimits
from lib.images.jpeg import Pixels
from lib.images.preparer import Decode, Preparer
from lib.images.preprocessing import Preprocessing
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.reasons import ItemError, Reason
from lib.runs.run import Run
from lib.storage.config import StorageConfig
from tests.helpers import catalogs

SEGFAULT, ABORT, EXIT, KILL = b"-segfault-", b"-abort-", b"-exit-", b"-kill-"
HANG, HOLD = b"-hang-", b"-hold-"
FAULT = b"-fault-"
HUNGRY, GREEDY, DISCREET = b"-hungry-", b"-greedy-", b"-discreet-"
LETHAL = b"-lethal-"
HUNGER = 3 * 2**30
RELEASED = threading.Event()  # a test that hangs a thread of its own process must let it go


def decode(data: bytes, limits: DecodeLimits, preprocessing: Preprocessing) -> Pixels:
    die(data)
    eat(data)
    if HANG in data:
        RELEASED.wait()
    if HOLD in data:  # native code that hangs and keeps the interpreter's lock
        ctypes.PyDLL(None).sleep(3600)
    if FAULT in data:
        raise ZeroDivisionError("a fault of our own")
    return lib.images.decode.decode(data, limits, preprocessing)


def die(data: bytes) -> None:
    if SEGFAULT in data:
        ctypes.string_at(0)
    if ABORT in data:
        os.abort()
    if EXIT in data:
        os._exit(3)
    if KILL in data:  # as the kernel does where memory runs out
        os.kill(os.getpid(), signal.SIGKILL)
    if LETHAL in data and Path(os.fsdecode(data.split(LETHAL)[1])).exists():
        kill_actor()


def eat(data: bytes) -> None:
    """Take memory, and keep it for a while as work on it would."""
    if GREEDY in data:
        np.ones(HUNGER, np.uint8)
    if HUNGRY not in data and DISCREET not in data:
        return
    try:
        taken = [b"-" * 2**26 for _ in range(HUNGER // 2**26)]
    except MemoryError:
        if DISCREET in data:  # as decoders report what they do not expect
            raise ItemError(Reason.DECODE_FAILED, "MemoryError") from None
        raise
    time.sleep(30)
    del taken


def kill_actor() -> None:
    """Kill the process that classifies, which this one is or was started by."""
    process = psutil.Process()
    for each in (process, *process.parents()):
        words = each.cmdline()
        if words[0].startswith("ray::") or any("from lib.processes" in word for word in words):
            each.kill()
    time.sleep(60)  # its end comes


def decode_and_say_where(data: bytes, limits: DecodeLimits, preprocessing: Preprocessing) -> Pixels:
    """Decode, and leave the process's id in the file that the data names after its mark."""
    for mark in (HANG, HOLD):
        if mark in data:
            with open(data.split(mark)[1], "w") as file:  # noqa: PTH123  # the name is bytes
                file.write(str(os.getpid()))
    return decode(data, limits, preprocessing)


def preparer_of(
    decode: Decode = decode, timeout_s: float = 4, limits: Mapping[str, int] = MappingProxyType({})
) -> Preparer:
    reading = ReadingConfig.model_validate({"threads": 4, "timeout_s": timeout_s, **limits})
    return Preparer(catalogs.PREPROCESSING, reading, StorageConfig(), decode)


def classifier_of(bundle_uri: str, run: Run | None = None) -> UnitClassifier:
    return UnitClassifier(
        UnitJob(
            run=run or catalogs.run_at(""),
            bundle_uri=bundle_uri,
            engine=catalogs.cpu_engine(8),
            reading=ReadingConfig(threads=4),
        )
    )


def install() -> None:
    """Give this process's units the decoder; what its start calls."""
    lib.inference.classify_unit.DevicePreparer = partial(DevicePreparer, decode=decode)  # type: ignore[assignment, attr-defined]  # the units look there
