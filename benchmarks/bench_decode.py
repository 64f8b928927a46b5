# ruff: noqa: T201  # it speaks to a person
"""Large JPEG files decoded whole, and smaller than they are: time, pixels and labels.

    python -m benchmarks.bench_decode [--photos N] [--no-labels]

Photos are made larger, and each is decoded and resized in both ways, in turn, by one thread of this
process. Then the default network embeds labelled photos in both ways, and a head in closed form is
fitted on each. RESHELVE_SHARED says where the photos are. The last line is one JSON object.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--no-labels", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    arguments()
    needs.check(
        needs.data(needs.shared() / "data" / "imagenet-samples", "photos"),
        needs.data(needs.shared() / "data" / "clothing", "labelled photos"),
        needs.memory_gib(2),
    )

import numpy as np
import torch
from PIL import Image

from benchmarks.labels import TEST, TRAIN, VALIDATION, Labelled, read_photos
from benchmarks.machine import processor
from lib.heads.lda import moments_of
from lib.images.formats import DecodeLimits
from lib.images.jpeg import Pixels
from lib.images.normalise import normalise
from lib.images.preparer import Decoder
from lib.images.preprocessing import Preprocessing
from lib.models.classifier import Classifier, build_classifier
from lib.models.config import DEFAULT_ARCHITECTURE
from lib.models.pretrained import PACKAGE, load_backbone
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

SHARED = needs.shared()
WAYS = ("full", "scaled-2x")
QUALITY, ROUNDS, SIZE_PX = 88, 5, 224
LEAST_PX = 375  # of the shorter side of photos that are made larger
KINDS: dict[str, dict[str, Any]] = {
    "4:2:0": {"subsampling": 2},
    "4:4:4": {"subsampling": 0},
    "progressive": {"subsampling": 2, "progressive": True},
}
CASES = [
    *((fit, side, "4:2:0") for fit in ("crop", "pad") for side in (500, 1000, 1600, 2400)),
    *(("crop", 1600, kind) for kind in ("4:4:4", "progressive")),
]
BATCH = 64


def shown(size_px: int, decode: str, fit: str = "crop") -> Preprocessing:
    """Return what a network of the default kind is shown."""
    half = (0.5,) * 3
    return Preprocessing.model_validate(
        {"size_px": size_px, "fit": fit, "mean": half, "std": half, "decode": decode}
    )


def decoder(preprocessing: Preprocessing) -> Callable[[bytes], Pixels]:
    """Return what makes pixels of a file, as trainings and nights do."""
    decode = Decoder(preprocessing, DecodeLimits())

    def pixels(data: bytes) -> Pixels:
        prepared = decode(data)
        assert prepared.pixels is not None, prepared.error
        return prepared.pixels

    return pixels


def enlarged(path: Path, factor: float, kind: str = "4:2:0") -> bytes:
    """Return a photo as a larger JPEG file."""
    image = Image.open(path).convert("RGB")
    size = (round(image.width * factor), round(image.height * factor))
    file = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=QUALITY, **KINDS[kind])
    return file.getvalue()


def measure(files: Sequence[bytes], fit: str) -> dict[str, float]:
    """Return core-milliseconds per image both ways, their ratio, and how far pixels differ."""
    ways = [decoder(shown(SIZE_PX, way, fit)) for way in WAYS]
    least = np.full((len(files), len(WAYS)), np.inf)
    for _ in range(ROUNDS):
        for row, data in enumerate(files):
            for column, way in enumerate(ways):
                before = time.thread_time()
                way(data)
                least[row, column] = min(least[row, column], time.thread_time() - before)
    full_ms, scaled_ms = (1000 * least.mean(axis=0)).tolist()
    differences = [difference(*(way(data) for way in ways)) for data in files]
    return {
        "full_ms": round(full_ms, 2),
        "scaled_ms": round(scaled_ms, 2),
        "ratio": round(scaled_ms / full_ms, 3),
        "difference": round(float(np.mean(differences)), 2),
    }


def difference(one: Pixels, other: Pixels) -> float:
    """Return the mean difference of pixels, of 255."""
    return float(np.abs(one.astype(np.float32) - other).mean())


def difference_of_sharp(paths: Sequence[Path]) -> float:
    """Return how far the pixels of photos as they are differ, at the least margin there is."""
    found = []
    for path in paths:
        size_px = min(Image.open(path).size) // 4
        ways = [decoder(shown(size_px, way)) for way in WAYS]
        found.append(difference(*(way(path.read_bytes()) for way in ways)))
    return round(float(np.mean(found)), 2)


def compare_labels(size_px: int, factor: float) -> dict[str, float]:
    """Return the accuracy of a head on embeddings of photos decoded in both ways."""
    photos = SHARED / "data" / "clothing"
    sides = [read_photos(photos, side) for side in (TRAIN, VALIDATION, TEST)]
    known, asked = sides[0], sides[1] + sides[2]
    names = sorted({category for _, category in known})
    classifier = build_classifier(DEFAULT_ARCHITECTURE, len(names), size_px).eval()
    load_backbone(classifier, DEFAULT_ARCHITECTURE, PACKAGE, Storage(StorageConfig()))
    train, test = (embed(classifier, each, size_px, factor) for each in (known, asked))
    targets = torch.tensor([names.index(category) for _, category in known])
    right = torch.tensor([names.index(category) for _, category in asked])
    said = []
    for way in range(len(WAYS)):
        weight, bias = moments_of([train[way]], targets, len(names)).discriminants()
        said.append((test[way] @ weight.T + bias).argmax(dim=1))
    full, scaled = ((each == right).float().mean().item() for each in said)
    return {
        "full": round(full, 4),
        "scaled": round(scaled, 4),
        "same_label": round((said[0] == said[1]).float().mean().item(), 4),
        "tested": len(asked),
    }


@torch.inference_mode()
def embed(
    classifier: Classifier, items: Labelled, size_px: int, factor: float
) -> tuple[torch.Tensor, ...]:
    """Return the embeddings of photos for each way to decode them, float32 [n, d]."""
    seen = [shown(size_px, way) for way in WAYS]
    ways = [decoder(each) for each in seen]
    found: list[list[torch.Tensor]] = [[] for _ in WAYS]
    for start in range(0, len(items), BATCH):
        files = list(read(items[start : start + BATCH], factor))
        for column, way in enumerate(ways):
            pixels = torch.from_numpy(np.stack([*map(way, files)]))
            batch = normalise(pixels, seen[column], torch.float32)
            found[column].append(classifier.backbone(batch))
    return tuple(map(torch.cat, found))


def read(items: Labelled, factor: float) -> Iterator[bytes]:
    """Yield files as they are, or enlarged."""
    for uri, _ in items:
        yield Path(uri).read_bytes() if factor == 1 else enlarged(Path(uri), factor)


def main() -> None:
    """Measure, compare, and print."""
    args = arguments()
    torch.set_num_threads(1)
    paths = sorted((SHARED / "data" / "imagenet-samples").rglob("*.JPEG"))
    paths = [path for path in paths if min(Image.open(path).size) >= LEAST_PX][: args.photos]
    print(f"{processor()}; {len(paths)} photos", flush=True)
    found: dict[str, Any] = {"photos": len(paths)}
    for fit, side, kind in CASES:
        files = [enlarged(path, side / max(Image.open(path).size), kind) for path in paths]
        found[f"{fit} {side} {kind}"] = measure(files, fit)
        print(f"{fit} {side:,} px {kind}: {found[f'{fit} {side} {kind}']}", flush=True)
    found["difference_of_sharp"] = difference_of_sharp(paths)
    if not args.no_labels:
        # at the least margin there is: of sharp photos a half, of enlarged ones a half and a little
        for size_px, factor in ((100, 1.0), (SIZE_PX, 2.25)):
            found[f"labels {size_px} px x {factor}"] = compare_labels(size_px, factor)
            print(f"labels at {size_px} px: {found[f'labels {size_px} px x {factor}']}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
