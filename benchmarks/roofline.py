"""The floor: decode, resize and forward in one process, without fetch, queue or write."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from lib.images.formats import DecodeLimits
from lib.images.preparer import Decoder
from lib.inference.predictor import Predictor
from lib.models.bundle import read_bundle
from lib.models.options import UNITS_AT_ONCE
from lib.models.runtimes import Networks
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

ROUNDS = 3


def measure(bundle_uri: str, files: Sequence[bytes], batch: int) -> dict[str, float]:
    """Return the core-milliseconds of an image, and the images/s that all cores could do."""
    cores = os.cpu_count() or 1
    storage = Storage(StorageConfig())
    bundle = read_bundle(bundle_uri, storage)
    torch.set_num_threads(1)
    decoder = Decoder(bundle.info.preprocessing, DecodeLimits())
    pixels = [each.pixels for each in map(decoder, files) if each.pixels is not None]
    networks = Networks(bundle, storage, device="auto", runtime="auto", threads=cores)
    predictor = Predictor(bundle, networks, precision="auto", batch=batch)

    def prepare() -> None:
        for data in files:
            decoder(data)

    def forward() -> None:
        with ThreadPoolExecutor(UNITS_AT_ONCE) as pool:
            list(pool.map(predictor.predict, [pixels] * UNITS_AT_ONCE))

    prepare_s = _core_seconds(prepare) / len(files)
    forward_s = _core_seconds(forward) / len(pixels) / UNITS_AT_ONCE
    return {
        "prepare_core_ms": round(1000 * prepare_s, 2),
        "forward_core_ms": round(1000 * forward_s, 2),
        "images_per_s": round(cores / (prepare_s + forward_s), 1),
    }


def _core_seconds(work: Callable[[], None]) -> float:
    """Return the least of some rounds, in seconds of this process's threads on any core."""
    found = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)
