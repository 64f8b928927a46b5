"""Small catalogs, bundles and labels, made in code."""

import copy
import csv
import hashlib
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from deltalake import DeltaTable
from PIL import Image, ImageDraw
from pyarrow import fs, parquet

from lib.batches import regroup
from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.drift.sample import Sample
from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.images.normalise import normalise
from lib.images.preprocessing import Preprocessing
from lib.images.resize import resize
from lib.inference.config import EngineConfig
from lib.models.bundle import Bundle, BundleInfo
from lib.models.bundle_weights import write_bundle, write_compiled
from lib.models.classifier import Classifier, build_classifier
from lib.models.openvino_convert import convert
from lib.models.options import Precision
from lib.models.reference import write_reference
from lib.reasons import Reason
from lib.runs import files
from lib.runs.plan import Plan
from lib.runs.run import Run
from lib.schemas import ITEM_SCHEMA, LABELS_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.conftest import Bucket

LOCAL = Storage(StorageConfig())
TAXONOMY_YAML = """\
version: "7"
categories:
  - id: clothing
    name: Clothing
    children:
      - id: tops
        name: Tops
        children:
          - {id: shirt, name: Shirts}
          - {id: knitwear, name: Knitwear}
      - id: bottoms
        name: Bottoms
        children:
          - {id: trousers, name: Trousers}
          - {id: skirt, name: Skirts}
  - id: shoes
    name: Shoes
"""
TAXONOMY = parse_taxonomy(TAXONOMY_YAML, "taxonomy.yaml")
PREPROCESSING = Preprocessing(
    size_px=32, fit="crop", mean=(0.5,) * 3, std=(0.25,) * 3, decode="scaled-2x"
)
FORMATS = ("jpg", "png", "webp")


def draw(seed: int, background: tuple[int, int, int] | None = None) -> Image.Image:
    """Draw two shapes on a plain ground; each seed gives another picture."""
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(36, 80, 2))
    colours = [tuple(int(value) for value in each) for each in rng.integers(0, 256, (3, 3))]
    image = Image.new("RGB", (width, height), background or colours[0])
    pen = ImageDraw.Draw(image)
    for shape, colour in zip((pen.ellipse, pen.rectangle), colours[1:], strict=True):
        left, top = (int(side) for side in rng.integers(0, 30, 2))
        wide, high = (int(side) for side in rng.integers(6, 18, 2))
        shape((left, top, left + wide, top + high), fill=colour)
    return image


def encode(image: Image.Image, suffix: str) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG" if suffix == "jpg" else suffix.upper())
    return file.getvalue()


def pictures(count: int, first: int = 0) -> dict[str, bytes]:
    """Image files by name, in several formats."""
    names = (f"{n:03d}.{FORMATS[n % len(FORMATS)]}" for n in range(first, first + count))
    return {name: encode(draw(int(name[:3])), name[4:]) for name in names}


def _bomb() -> bytes:
    """Make a PNG whose header promises ten thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"\0") + chunk(b"IEND", b"")


BROKEN: Mapping[str, tuple[Reason, bytes | None]] = {
    "x-bomb.png": (Reason.TOO_LARGE, _bomb()),
    "x-empty.jpg": (Reason.EMPTY, b""),
    "x-missing.jpg": (Reason.GONE, None),
    "x-page.jpg": (Reason.NOT_AN_IMAGE, b"<!doctype html><html><body>no such page</body></html>"),
    "x-truncated.png": (Reason.TRUNCATED, encode(draw(1), "png")[:-60]),
}
BROKEN_FILES = {name: data for name, (_, data) in BROKEN.items() if data is not None}


def write_catalog(
    uri: str,
    files: Mapping[str, bytes],
    storage: Storage = LOCAL,
    *,
    missing: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> str:
    """Write files and a manifest that lists them and those `missing`; return the manifest's URI."""
    for name, data in files.items():
        storage.write(f"{uri}/{name}", data)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["item_id", "uri", "etag", "category_id"])
    for name in [*files, *missing]:
        # as S3 gives it
        etag = hashlib.md5(files.get(name, b""), usedforsecurity=False).hexdigest()
        writer.writerow([name, name, etag, (labels or {}).get(name, "")])
    storage.write(f"{uri}/manifest.csv", text.getvalue().encode())
    return f"{uri}/manifest.csv"


def read_items(manifest: str, storage: Storage = LOCAL) -> pa.Table:
    return read_catalog(CatalogConfig(uri=manifest), storage)


def run_at(folder: object, storage: Storage = LOCAL, run_id: str = "run") -> Run:
    """Return the run of a folder, as if it had begun."""
    return Run(run_id, str(folder), storage)


def cpu_engine(batch_size: int, threads: int = 1, precision: Precision = "fp32") -> EngineConfig:
    """Return an engine that gives the same on every machine, but for the precision."""
    return EngineConfig(
        device="cpu", precision=precision, batch_size=batch_size, cpus_per_actor=threads
    )


def write_plan(run: Run, items: pa.Table, unit_size: int) -> Plan:
    """Write items as a run's plan of units, all of them to be done."""
    file = io.BytesIO()
    with parquet.ParquetWriter(file, ITEM_SCHEMA, compression="zstd") as writer:
        for unit in regroup(items.to_batches(), unit_size):
            writer.write_batch(unit)
    run.write(files.PLAN, file.getvalue())
    return Plan(run)


def make_bundle(
    uri: str,
    storage: Storage = LOCAL,
    *,
    architecture: str = "resnet18",
    threshold: float = 0.6,
    converted: bool = False,
    reference: Sample | None = None,
) -> Bundle:
    """Write a bundle of a seeded, untrained network, and if asked to, its model for OpenVINO."""
    leaves = TAXONOMY.leaves
    classifier = copy.deepcopy(_untrained(architecture, leaves))
    torch.manual_seed(7)  # whatever was made before, what a test draws next is the same
    files = convert(classifier.backbone, PREPROCESSING) if converted else {}
    info = BundleInfo(
        run_id="made-in-a-test",
        architecture=architecture,
        weights="none",
        preprocessing=PREPROCESSING,
        category_ids=leaves,
        temperature=1.3,
        threshold=threshold,
        target_precision=0.95,
        metrics={},
        digests=write_compiled(uri, storage, files)
        | (write_reference(uri, storage, reference) if reference else {}),
    )
    return write_bundle(uri, storage, classifier, TAXONOMY, info)


@cache
def _untrained(architecture: str, leaves: tuple[str, ...]) -> Classifier:
    """Make a seeded network once: it takes half a second, and many tests want one."""
    torch.manual_seed(7)
    classifier = build_classifier(architecture, len(leaves), PREPROCESSING.size_px).eval()
    _tell_apart(classifier)
    return classifier


@torch.no_grad()
def _tell_apart(classifier: Classifier) -> None:
    """Fit the head so that an untrained network's logits are spread, not nearly equal."""
    files = pictures(40, first=500).values()
    pixels = [resize(decode(data, DecodeLimits()), PREPROCESSING) for data in files]
    batch = torch.from_numpy(np.stack(pixels))
    embeddings = classifier.backbone(normalise(batch, PREPROCESSING, torch.float32))
    logits = classifier.head(embeddings)
    classifier.head.weight *= 2 / logits.std(dim=0, keepdim=True).T
    classifier.head.bias.copy_(-(embeddings @ classifier.head.weight.T).mean(dim=0))


def label_rows(
    item_ids: Sequence[str], run_id: str = "run-1", *, broken: Sequence[str] = ()
) -> pa.Table:
    """Rows of `LABELS_SCHEMA`: one label, or for `broken` one error, an item."""
    top_k = [{"category_id": "shirt", "probability": 0.75}]
    rows = [
        {
            "item_id": item_id,
            "uri": f"s3://shop/{item_id}",
            "etag": "1",
            "bundle_digest": "b" * 64,
            "taxonomy_version": TAXONOMY.version,
            "run_id": run_id,
            "classified_at": datetime(2026, 11, 23, tzinfo=UTC),
        }
        | (
            {"decision": "error", "error": "gone", "error_detail": f"{item_id} is not there"}
            if item_id in broken
            else {
                "category_id": "shirt",
                "category_path": TAXONOMY.path("shirt"),
                "confidence": 0.75,
                "top_k": top_k,
                "decision": "accept",
            }
        )
        for item_id in item_ids
    ]
    return pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)


def without_run(table: DeltaTable) -> pa.Table:
    """Rows of a labels table, by item, without what differs from run to run."""
    rows = pa.table(table.to_pyarrow_table())
    rows = rows.drop_columns(["run_id", "classified_at", "last_classified_at"])
    return rows.sort_by("item_id").combine_chunks()


def plain_s3(bucket: Bucket) -> fs.S3FileSystem:
    """The bucket's store as pyarrow alone reaches it."""
    server = bucket.server
    return fs.S3FileSystem(
        access_key=server.key, secret_key=server.secret, endpoint_override=server.endpoint
    )


def folder_of(path: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
