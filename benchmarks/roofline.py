"""The floor: decode, resize and forward in one process, without fetch, queue or write."""

import os
import time
from collections.abc import Sequence

import torch

from lib.bundle import read_bundle
from lib.images import DecodeLimits
from lib.inference import Predictor
from lib.network import Networks
from lib.prepare import Decoder
from lib.storage import Storage
from lib.storage_config import StorageConfig

ROUNDS = 3


def measure(bundle_uri: str, files: Sequence[bytes], batch: int) -> dict[str, float]:
    """Give the core-milliseconds of an image, and the images/s that all cores could do."""
    cores = os.cpu_count() or 1
    storage = Storage(StorageConfig())
    bundle = read_bundle(bundle_uri, storage)
    torch.set_num_threads(1)
    decoder = Decoder(bundle.info.preprocessing, DecodeLimits())
    prepare_s = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        prepared = [decoder(data) for data in files]
        prepare_s.append((time.perf_counter() - started) / len(files))
    pixels = [each.pixels for each in prepared if each.pixels is not None]
    torch.set_num_threads(cores)
    networks = Networks(bundle, storage, device="auto", runtime="auto", threads=cores)
    predictor = Predictor(bundle, networks, precision="auto", batch=batch)
    images = torch.stack((pixels * batch)[:batch])
    forward_s = []
    for _ in range(8 * ROUNDS):
        started = time.perf_counter()
        predictor.probabilities(images)
        forward_s.append((time.perf_counter() - started) * cores / batch)
    floor_s = min(prepare_s) + sorted(forward_s)[len(forward_s) // 4]
    return {
        "prepare_core_ms": round(1000 * min(prepare_s), 2),
        "forward_core_ms": round(1000 * (floor_s - min(prepare_s)), 2),
        "images_per_s": round(cores / floor_s, 1),
    }
