# ruff: noqa: T201  # they speak to a person
"""Reshelve beside what its users would otherwise run: images/s, cold start, memory, agreement.

    AWS_ENDPOINT_URL=... AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... make bench

Real photos, repeated to thousands of keys, are classified from S3 and from disk; the contenders
take turns, three times after a warm-up. Peers get fewer images, since their rate does not depend on
how many there are; their whole job is their start-up and the rest at their steady rate, which
favours them. It stops by itself within 15 minutes.
"""

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
import pyarrow as pa
import torch
import torchvision
import yaml
from pyarrow import parquet

from benchmarks import roofline
from benchmarks.agreement import measure_agreement
from benchmarks.contenders import Measured, run_peer, run_reshelve
from lib.buckets import Buckets
from lib.bundle import BundleInfo
from lib.bundle_model import write_bundle
from lib.model import build_classifier
from lib.preprocessing import Preprocessing
from lib.storage import Storage
from lib.storage_config import StorageConfig
from lib.taxonomy import parse_taxonomy

LIMIT_S = 14 * 60
PEERS = ("ray_data", "daft_images", "dataloader")
BATCH = 64
WRITERS = 16
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Place:
    """Where the images lie: manifests by the number of items."""

    name: str
    folder: Path

    def manifest(self, items: int) -> str:
        """Give the manifest of the first items."""
        whole = parquet.read_table(self.folder / f"{self.name}.parquet")
        path = self.folder / f"{self.name}-{items}.parquet"
        if not path.exists():
            parquet.write_table(whole.slice(0, items), path)
        return str(path)


def lay_out(photos: list[Path], keys: int, folder: Path) -> Place:
    """Repeat photos on disk, as links."""
    images = folder / "images"
    images.mkdir()
    uris = []
    for number, photo in zip(range(keys), itertools.cycle(photos), strict=False):
        uris.append(str(images / f"{number:06d}.jpg"))
        os.link(photo, uris[-1]) if same_disk(photo, images) else Path(uris[-1]).symlink_to(photo)
    write_manifest(folder / "disk.parquet", uris)
    return Place("disk", folder)


def same_disk(one: Path, other: Path) -> bool:
    """Say whether a hard link is possible."""
    return one.stat().st_dev == other.stat().st_dev


def write_manifest(path: Path, uris: list[str]) -> None:
    """Write a manifest that every contender reads."""
    names = [uri.rsplit("/", 1)[-1] for uri in uris]
    parquet.write_table(pa.table({"item_id": names, "uri": uris}), path)


@contextmanager
def upload(photos: list[Path], keys: int, folder: Path) -> Iterator[Place]:
    """Repeat photos in a bucket, and remove it afterwards."""
    config = StorageConfig()
    filesystem = Storage(config).open("s3://any")[0]
    bucket = f"reshelve-bench-{uuid.uuid4().hex}"
    filesystem.call_s3("create_bucket", Bucket=bucket)
    store = Buckets(config).open(bucket)
    files = [photo.read_bytes() for photo in photos]
    names = [f"{number:06d}.jpg" for number in range(keys)]

    def put(number: int) -> None:
        obstore.put(store, names[number], files[number % len(files)])

    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(put, range(keys)))
        write_manifest(folder / "s3.parquet", [f"s3://{bucket}/{name}" for name in names])
        yield Place("s3", folder)
    finally:
        filesystem.rm(bucket, recursive=True)


def make_model(architecture: str, folder: Path) -> tuple[str, str]:
    """Write the same seeded weights as a state dict and as a bundle; give both places."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(architecture, weights=None).eval()
    weights = folder / f"{architecture}.pth"
    torch.save(model.state_dict(), weights)
    torch.manual_seed(0)
    leaves = "".join(f"  - {{id: c{n}, name: c{n}}}\n" for n in range(1000))
    taxonomy = parse_taxonomy(f'version: "1"\ncategories:\n{leaves}', "taxonomy.yaml")
    preprocessing = Preprocessing(size_px=224, fit="crop", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    classifier = build_classifier(architecture, 1000, 224).eval()
    last = [each for each in model.modules() if isinstance(each, torch.nn.Linear)][-1]
    fitting = classifier.backbone.state_dict().keys()
    classifier.backbone.load_state_dict(
        {name: value for name, value in model.state_dict().items() if name in fitting}
    )
    classifier.head.load_state_dict(last.state_dict())
    info = BundleInfo(
        run_id="bench",
        architecture=architecture,
        weights="none",
        preprocessing=preprocessing,
        category_ids=taxonomy.leaves,
        temperature=1.0,
        threshold=0.5,
        target_precision=0.95,
        metrics={},
    )
    uri = str(folder / f"bundle-{architecture}")
    write_bundle(uri, Storage(StorageConfig()), classifier, taxonomy, info)
    return str(weights), uri


def reshelve_run_file(bundle: str, manifest: str, runs: Path, folder: Path) -> Path:
    """Write the run file: everything as a user gets it who sets nothing."""
    path = folder / f"{uuid.uuid4().hex}.yaml"
    described = {
        "output": str(runs),
        "catalog": {"uri": manifest},
        "bundle": bundle,
        "labels_table": str(folder / "labels"),
        "embeddings": str(folder / "embeddings"),
        "reading": {"stores": ["s3://", "/"]},
    }
    path.write_text(yaml.safe_dump(described))
    return path


class Contest:
    """One architecture, images from one place: all contenders, in turns."""

    def __init__(self, architecture: str, place: Place, folder: Path, deadline: float) -> None:
        """Make the model."""
        self.architecture, self.place, self.deadline = architecture, place, deadline
        self._folder = folder / f"{architecture}-{place.name}"
        self._folder.mkdir()
        self.weights, self.bundle = make_model(architecture, self._folder)
        self.found: dict[str, list[Measured]] = {}

    def turn(self, name: str, items: int) -> None:
        """Let one contender run once."""
        left_s = self.deadline - time.monotonic()
        if left_s < 0:
            print(f"out of time before {name} on {self.place.name}")
            return
        manifest = self.place.manifest(items)
        started = len(self.found.get(name, ()))
        if name == "reshelve":
            runs = self._folder / "runs"
            run_file = reshelve_run_file(self.bundle, manifest, runs, self._folder)
            measured = run_reshelve(run_file, f"turn-{items}-{started}", runs, left_s + 60)
        else:
            options = {
                "manifest": manifest,
                "architecture": self.architecture,
                "weights": self.weights,
                "batch-size": str(BATCH),
            }
            folder = self._folder / f"{name}-{started}"
            measured = run_peer(name, options, folder, left_s + 60)
        self.found.setdefault(name, []).append(measured)
        print(f"{self.architecture:>18} {self.place.name:>5} {name:>12} {measured}", flush=True)

    def summary(self, items: int) -> dict[str, dict[str, float]]:
        """Give each contender's medians; a whole job is scaled to `items`."""
        return {
            name: {
                "steady": statistics.median(each.steady for each in runs),
                "whole_s": statistics.median(
                    each.seconds + (items - each.images) / each.steady for each in runs
                ),
                "first_s": statistics.median(each.first_s for each in runs),
                "peak_memory_gib": max(each.peak_memory_gib for each in runs),
                "core_ms": statistics.median(1000 * each.cpu_s / each.images for each in runs),
            }
            for name, runs in self.found.items()
        }


def main() -> None:
    """Lay out the images, let all run, print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("RESHELVE_SHARED", "../shared")
    parser.add_argument("--shared", type=Path, default=Path(shared).resolve())
    parser.add_argument("--items", type=int, default=6000)
    parser.add_argument("--peer-items", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    deadline = time.monotonic() + LIMIT_S
    photos = sorted((given.shared / "data" / "imagenet-samples").glob("*.JPEG"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        agreement = measure_agreement(
            given.shared / "data" / "clothing",
            given.shared / "weights" / "resnet18-tiny-imagenet.safetensors",
            Path("jobs/runs/clothing-taxonomy.yaml").resolve(),
            folder,
        )
        print(agreement, flush=True)
        disk = lay_out(photos, given.items, folder)
        with upload(photos, given.items, folder) as s3:
            contests = [
                Contest(architecture, place, folder, deadline)
                for architecture in ("resnet18", "mobilenet_v3_large")
                for place in (s3, disk)
            ]
            main_contest = contests[0]
            floor = roofline.measure(main_contest.bundle, [p.read_bytes() for p in photos], BATCH)
            print(f"roofline {floor}", flush=True)
            main_contest.turn("reshelve", given.peer_items)  # warms the machine's caches
            main_contest.found.clear()
            for _ in range(given.rounds):
                main_contest.turn("reshelve", given.items)
                for peer in PEERS:
                    main_contest.turn(peer, given.peer_items)
            for contest in contests[1:]:
                contest.turn("reshelve", given.items)
                for peer in PEERS:
                    contest.turn(peer, given.peer_items // 2)
    tables = {f"{c.architecture} {c.place.name}": c.summary(given.items) for c in contests}
    for title, table in tables.items():
        print_table(title, table)
    ours = tables["resnet18 s3"]["reshelve"]
    peers = [tables["resnet18 s3"][peer] for peer in ("ray_data", "daft_images")]
    print(
        json.dumps(
            {
                "steady_ratio": round(ours["steady"] / max(p["steady"] for p in peers), 2),
                "whole_job_ratio": round(min(p["whole_s"] for p in peers) / ours["whole_s"], 2),
                "roofline_fraction": round(ours["steady"] / floor["images_per_s"], 3),
                "roofline_fraction_disk": round(
                    tables["resnet18 disk"]["reshelve"]["steady"] / floor["images_per_s"], 3
                ),
                "label_agreement": agreement["label_agreement"],
                "accuracy_change": agreement["accuracy"] - agreement["reference_accuracy"],
                "first_shard_s": ours["first_s"],
                "peak_memory_gib": ours["peak_memory_gib"],
                "roofline": floor,
                "contests": tables,
            }
        )
    )


def print_table(title: str, table: dict[str, dict[str, float]]) -> None:
    """Print one contest."""
    cores = os.cpu_count() or 1
    print(f"\n{title}")
    print(f"{'':>14}{'images/s':>10}{'a core':>8}{'job s':>8}{'first s':>9}{'GiB':>6}")
    for name, row in sorted(table.items(), key=lambda each: -each[1]["steady"]):
        print(
            f"{name:>14}{row['steady']:>10.1f}{row['steady'] / cores:>8.1f}"
            f"{row['whole_s']:>8.1f}{row['first_s']:>9.1f}{row['peak_memory_gib']:>6.2f}"
        )


if __name__ == "__main__":
    main()
