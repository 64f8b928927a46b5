"""A million embeddings for the benchmark of search: real ones repeated with noise, and clusters."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import timm
import torch

from benchmarks.backbones import efficientnet_lite0
from lib.embeddings.store import Embeddings, to_table
from lib.images.config import ReadingConfig
from lib.images.normalise import normalise
from lib.images.preparer import Preparer
from lib.images.preprocessing import Preprocessing
from lib.models.pretrained import read_safetensors
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

DIMENSIONS, CHUNK = 512, 50_000
BATCH = 4  # more spends most of its time on getting memory for what is between the layers
NOISE = 0.5  # of a photo's length: its repetitions are about as far apart as photos of one kind
CLUSTERS, INNER = 2_000, 64
PREPROCESSING = Preprocessing(
    size_px=224, fit="crop", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)


def photos_embedded(photos: Path, kept: Path) -> Embeddings:
    """Embed photos by EfficientNet-lite0, once; return their main axes, float16 [n, 512]."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, embed(sorted(map(str, photos.rglob("*.jpg"))), kept.parent))
    whole = np.load(kept).astype(np.float32)
    _, _, axes = np.linalg.svd(whole - whole.mean(axis=0), full_matrices=False)
    found = whole @ axes[:DIMENSIONS].T
    scaled: Embeddings = (found / np.linalg.norm(found, axis=1).mean()).astype(np.float16)
    return scaled


def embed(uris: list[str], folder: Path) -> Embeddings:
    """Embed photos by EfficientNet-lite0, float16 [n, 1280]; `folder` takes its weights."""
    backbone = efficientnet_lite0(folder)
    network = timm.create_model(backbone.timm_name, num_classes=0).eval()
    weights = read_safetensors(str(backbone.weights), Storage(StorageConfig()))
    network.load_state_dict(weights, strict=False)
    preparer = Preparer(PREPROCESSING, ReadingConfig(), StorageConfig())
    prepared = preparer.stream(uris, [None] * len(uris))
    pixels = (each.pixels for each in prepared if each.pixels is not None)
    found = []
    with torch.inference_mode():
        while some := [*itertools.islice(pixels, BATCH)]:
            batch = normalise(torch.from_numpy(np.stack(some)), PREPROCESSING, torch.float32)
            found.append(network(batch).half().numpy())
    return np.concatenate(found)


def repeated(photos: Embeddings, rows: int, seed: int) -> Iterator[Embeddings]:
    """Yield rows, a chunk at a time: photos at random, each with noise of its own."""
    random = np.random.default_rng(seed)
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        noise = random.standard_normal((count, DIMENSIONS), np.float32) * NOISE / DIMENSIONS**0.5
        chosen = random.integers(len(photos), size=count)
        yield (photos[chosen] + noise).astype(np.float16)


def clustered(rows: int, seed: int) -> Iterator[Embeddings]:
    """Yield rows, a chunk at a time: around centres, along a few inner directions."""
    centres = np.random.default_rng(0)
    middles = centres.standard_normal((CLUSTERS, INNER), np.float32)
    outwards = centres.standard_normal((INNER, DIMENSIONS), np.float32) / INNER**0.5
    random = np.random.default_rng(seed)
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        inner = random.standard_normal((count, INNER), np.float32)
        place = middles[random.integers(CLUSTERS, size=count)] + 0.5 * inner
        yield (place @ outwards).astype(np.float16)


def as_tables(chunks: Iterator[Embeddings], first: int = 0) -> Iterator[pa.Table]:
    """Yield chunks as rows of a store; item `n` lies at `s3://shop/n.jpg`, with the etag `e`."""
    for chunk in chunks:
        uris = pa.array([f"s3://shop/{n:08d}.jpg" for n in range(first, first + len(chunk))])
        etags = pa.repeat("e", len(chunk))
        first += len(chunk)
        yield to_table(pa.chunked_array([uris]), pa.chunked_array([etags]), chunk)
