"""A labels table of made-up items for the benchmark of the desk, three nights old."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from PIL import Image
from pyarrow import parquet

from benchmarks.bench_backfill import taxonomy
from benchmarks.made_titles import titles
from lib.images.preprocessing import Preprocessing
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, BundleInfo
from lib.models.bundle_weights import write_bundle
from lib.models.classifier import build_classifier
from lib.schemas import LABELS_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

STORAGE = Storage(StorageConfig())
CHUNK, CATEGORIES, PICTURES, CHANGED = 50_000, 200, 200, 10_000
ERRORS = ("gone", "too_large", "not_an_image")
LEAVES = [f"c{number:04d}" for number in range(CATEGORIES)]
TAXONOMY = taxonomy("1", LEAVES)


def prepare(folder: Path, items: int) -> Path:
    """Write bundle, pictures, the table of three nights, and the desk's run file; return that."""
    shutil.rmtree(folder, ignore_errors=True)
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    dice = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = dice.integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(pixels).resize((600, 600)).save(pictures / f"{number:03d}.jpg")
    bundle = _bundle(folder)
    table = LabelsTable(str(folder / "labels"), STORAGE)
    for night, count in enumerate((items, CHANGED, CHANGED)):
        part = folder / f"night-{night}.parquet"
        with parquet.ParquetWriter(part, LABELS_SCHEMA, compression="zstd") as writer:
            for rows in made_rows(pictures, count, night):
                writer.write_table(rows)
        made = bundle.made.model_copy(
            update={"run": str(folder / f"runs/night-{night}"), "run_id": f"night-{night}"}
        )
        base = table.version()
        table.publish(
            Change(run_id=f"night-{night}", base=base, parts=[str(part)], removed=None, made=made)
        )
        part.unlink()
    run_file: dict[str, object] = {
        "labels_table": table.name,
        "embeddings": None,
        "runs": str(folder / "runs"),
    }
    run_file |= {"reading": {"stores": [str(folder)]}}
    (folder / "desk.yaml").write_text(yaml.safe_dump(run_file))
    return folder / "desk.yaml"


def made_rows(pictures: Path, items: int, night: int) -> Iterator[pa.Table]:
    """Draw the labels of a night, a chunk at a time: few categories have most items."""
    dice = np.random.default_rng(night)
    paths = [TAXONOMY.path(leaf) for leaf in LEAVES]
    names = titles(items, night)
    moment = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=night)
    for start in range(0, items, CHUNK):
        count = min(CHUNK, items - start)
        best = dice.zipf(1.3, (count, 3)) % CATEGORIES
        best[:, 1:] = (best[:, :1] + 1 + best[:, 1:] % (CATEGORIES - 1)) % CATEGORIES
        sure = dice.beta(5, 1.2, count).astype(np.float32)
        failed = dice.random(count) < 0.01
        decision = np.where(sure > 0.75, "accept", "review")
        shares = np.array([1.0, 0.7, 0.2], np.float32)
        rest = np.stack([sure, 1 - sure, 1 - sure], axis=1) * shares
        struct = pa.StructArray.from_arrays(
            [pa.array(np.array(LEAVES)[best.ravel()]), pa.array(rest.ravel())],
            names=["category_id", "probability"],
        )
        ends = pa.array(np.arange(0, 3 * count + 1, 3), pa.int32())
        reasons = np.array(ERRORS)[dice.integers(0, len(ERRORS), count)]
        columns = {
            "item_id": [f"shop/{number:08d}.jpg" for number in range(start, start + count)],
            "uri": [f"{pictures}/{n % PICTURES:03d}.jpg" for n in range(start, start + count)],
            "etag": pa.nulls(count, pa.string()),
            "category_id": pa.array(np.array(LEAVES)[best[:, 0]], mask=failed),
            "category_path": pa.array(np.array(paths)[best[:, 0]], mask=failed),
            "confidence": pa.array(sure, mask=failed),
            "top_k": pa.ListArray.from_arrays(ends, struct, mask=pa.array(failed)),
            "decision": np.where(failed, "error", decision),
            "error": pa.array(reasons, mask=~failed),
            "error_detail": pa.array(reasons, mask=~failed),
            "bundle_digest": pa.repeat("b" * 64, count),
            "taxonomy_version": pa.repeat("1", count),
            "run_id": pa.repeat(f"night-{night}", count),
            "classified_at": pa.repeat(pa.scalar(moment, pa.timestamp("us", tz="UTC")), count),
            "name": [next(names) for _ in range(count)],
        }
        yield pa.table(columns).cast(LABELS_SCHEMA)


def _bundle(folder: Path) -> Bundle:
    info = BundleInfo(
        run_id="drawn",
        architecture="resnet18",
        weights="none",
        preprocessing=Preprocessing(size_px=224, fit="pad", mean=(0.5,) * 3, std=(0.25,) * 3),
        category_ids=tuple(LEAVES),
        temperature=1.0,
        threshold=0.75,
        target_precision=0.95,
        metrics={},
    )
    classifier = build_classifier("resnet18", CATEGORIES, 224)
    return write_bundle(str(folder / "bundle"), STORAGE, classifier, TAXONOMY, info)
