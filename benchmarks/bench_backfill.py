# ruff: noqa: T201, S603  # they speak to a person, and run our own jobs
"""Moves a table of a million rows to a new taxonomy: seconds, memory, agreement with the pixels.

    python -m benchmarks.bench_backfill [--items N] [--store s3://bucket/folder]

Embeddings, labels table and run lie in a folder on local disk, or below a URI. Every row needs the
model, since a category is added; the head is fitted on 100,000 labelled embeddings. The embeddings
are drawn around a centre a category. Agreement and the rate from pixels are measured on the photos
of RESHELVE_SHARED, where it is there.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--store", help="a URI, as s3://bucket/folder; local disk without it")
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    items = arguments().items
    needs.check(
        needs.data("data/clothing", "folders of photos by side and category"),
        needs.data("weights/resnet18-tiny-imagenet.safetensors", "weights of a ResNet-18"),
        needs.memory_gib(3),
        needs.disk_gib(items / 3e5),
    )

import numpy as np
import psutil
import pyarrow as pa
import torch
import yaml
from deltalake import write_deltalake
from pyarrow import parquet

from benchmarks.pixels_agreement import agree
from lib.embeddings.store import Embeddings, EmbeddingStore, to_table
from lib.images.preprocessing import Preprocessing
from lib.models.bundle import BundleInfo
from lib.models.bundle_weights import write_bundle
from lib.models.classifier import build_classifier
from lib.schemas import LABELS_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.s3 import delta_options
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.taxonomy import Category, Taxonomy

CATEGORIES, DIMENSIONS, LABELLED = 1000, 512, 100_000
CHUNK = 50_000
STORAGE = Storage(StorageConfig())
LONGEST_S = 600


class Drawn:
    """A catalog that is drawn: embeddings around a centre a category."""

    def __init__(self, items: int) -> None:
        """Draw the centres, and which category each item is of."""
        self._random = np.random.default_rng(7)
        self._centres = self._random.standard_normal((CATEGORIES, DIMENSIONS), np.float32)
        self.columns = self._random.integers(0, CATEGORIES, items)
        self.items = items

    def embeddings(self, start: int) -> Embeddings:
        """Draw a chunk's embeddings, float16 [n, d]."""
        columns = self.columns[start : start + CHUNK]
        noise = self._random.standard_normal((len(columns), DIMENSIONS), np.float32)
        drawn: Embeddings = np.maximum(self._centres[columns] + 2 * noise, 0).astype(np.float16)
        return drawn

    def keys(self, start: int) -> pa.Table:
        """Return a chunk's uris and etags."""
        numbers = range(start, min(start + CHUNK, self.items))
        uris = [f"s3://catalog/images/{n:08d}.jpg" for n in numbers]
        etags = [f"{n * 2654435761 % 2**64:032x}" for n in numbers]
        return pa.table({"uri": uris, "etag": etags})


def taxonomy(version: str, leaves: list[str]) -> Taxonomy:
    """Make a tree of ten leaves a parent."""
    found = []
    for number, leaf in enumerate(leaves):
        if number % 10 == 0:
            found.append(Category(f"p{number // 10:03d}", f"Parent {number // 10}", None))
        found.append(Category(leaf, leaf.upper(), f"p{number // 10:03d}"))
    return Taxonomy(version, tuple(found))


def prepare(root: str, items: int, local: Path) -> None:
    """Write bundle, embeddings, table, labelled items and run file; not timed."""
    drawn, leaves = Drawn(items), [f"c{n:04d}" for n in range(CATEGORIES)]
    old = taxonomy("1", leaves)
    preprocessing = Preprocessing(size_px=224, fit="pad", mean=(0.5,) * 3, std=(0.25,) * 3)
    info = BundleInfo(
        run_id="drawn",
        architecture="resnet18",
        weights="none",
        preprocessing=preprocessing,
        category_ids=tuple(leaves),
        temperature=1.0,
        threshold=0.9,
        target_precision=0.95,
        metrics={},
    )
    classifier = build_classifier("resnet18", CATEGORIES, 224)
    bundle = write_bundle(join(root, "bundle"), STORAGE, classifier, old, info)
    store = EmbeddingStore(join(root, "embeddings"), bundle.backbone_digest, STORAGE)
    starts = range(0, items, CHUNK)

    def tables() -> Iterator[pa.Table]:
        for start in starts:
            keys = drawn.keys(start)
            yield to_table(keys["uri"], keys["etag"], drawn.embeddings(start))

    store.append("drawn", tables())
    rows = (batch for start in starts for batch in label_rows(drawn, start, leaves, old))
    uri = join(root, "labels")
    reader = pa.RecordBatchReader.from_batches(LABELS_SCHEMA, rows)
    options = delta_options(uri, STORAGE.config) if "://" in uri else {}
    write_deltalake(uri, reader, storage_options=options)
    labelled(drawn, leaves, local)
    lines = ['version: "2"\nreplaces: {version: "1", added: [new]}\ncategories:']
    tree = old.to_yaml().partition("categories:\n")[2]
    (local / "taxonomy.yaml").write_text("\n".join(lines) + "\n" + tree + "- id: new\n")
    described = {
        "output": join(root, "runs"),
        "run_id": "backfill",
        "bundle": bundle.uri,
        "taxonomy": str(local / "taxonomy.yaml"),
        "labels_table": uri,
        "embeddings": join(root, "embeddings"),
        "labelled": {
            "catalog": {"uri": str(local / "labelled.parquet")},
            "examples": str(local / "examples.csv"),
        },
        "reading": {"stores": [], "max_retries": 0},
        "gates": {"max_category_changes": None, "max_mix_shift": None},
    }
    (local / "backfill.yaml").write_text(yaml.safe_dump(described))


def label_rows(
    drawn: Drawn, start: int, leaves: list[str], taxonomy: Taxonomy
) -> list[pa.RecordBatch]:
    """Label a chunk as a classification would have."""
    keys = drawn.keys(start)
    count = keys.num_rows
    columns = drawn.columns[start : start + count]
    names = pa.array(leaves).take(pa.array(columns))
    paths = pa.array([taxonomy.path(leaf) for leaf in leaves]).take(pa.array(columns))
    others = [(columns + step) % CATEGORIES for step in range(5)]
    order = np.stack(others, axis=1).ravel()
    pairs = pa.StructArray.from_arrays(
        [
            pa.array(leaves).take(pa.array(order)),
            pa.array(np.tile([0.95, 0.02, 0.01, 0.01, 0.01], count), pa.float32()),
        ],
        names=["category_id", "probability"],
    )
    table = {
        "item_id": pa.array([f"{n:08d}.jpg" for n in range(start, start + count)]),
        "uri": keys["uri"],
        "etag": keys["etag"],
        "category_id": names,
        "category_path": paths,
        "confidence": pa.repeat(pa.scalar(0.95, pa.float32()), count),
        "top_k": pa.ListArray.from_arrays(pa.array(range(0, 5 * count + 1, 5), pa.int32()), pairs),
        "decision": pa.repeat("accept", count),
        "error": pa.nulls(count, pa.string()),
        "error_detail": pa.nulls(count, pa.string()),
        "bundle_digest": pa.repeat("0" * 64, count),
        "taxonomy_version": pa.repeat("1", count),
        "run_id": pa.repeat("drawn", count),
        "classified_at": pa.repeat(pa.scalar(0, pa.timestamp("us", "UTC")), count),
    }
    rows = pa.table([table[name] for name in LABELS_SCHEMA.names], schema=LABELS_SCHEMA)
    batches: list[pa.RecordBatch] = rows.to_batches()
    return batches


def labelled(drawn: Drawn, leaves: list[str], local: Path) -> None:
    """Write the items whose label is known, and ten examples of the new category."""
    count = min(LABELLED + 10, drawn.items // 2)
    keys = pa.concat_tables(drawn.keys(start) for start in range(0, count, CHUNK)).slice(0, count)
    ids = [f"{n:08d}.jpg" for n in range(count)]
    names = pa.array(leaves).take(pa.array(drawn.columns[:count]))
    known = keys.append_column("item_id", pa.array(ids)).append_column("category_id", names)
    parquet.write_table(known.slice(10), local / "labelled.parquet")
    examples = "".join(f"{item},new\n" for item in ids[:10])
    (local / "examples.csv").write_text("item_id,category_id\n" + examples)


def run(local: Path) -> dict[str, float]:
    """Run the command; return the seconds of its parts, by what it says, and its peak of memory."""
    marks: dict[str, float] = {}
    started = time.perf_counter()
    command = [sys.executable, "-m", "jobs.backfill", str(local / "backfill.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            now = time.perf_counter() - started
            held_gib = psutil.Process(process.pid).memory_info().rss / 2**30
            print(f"{now:6.1f} s {held_gib:5.2f} GiB  {line}", end="", flush=True)
            for mark, word in MARKS.items():
                if word in line:
                    marks[mark] = now
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": marks["published"],
        "plan_s": marks["labelled"],
        "fit_s": marks["fitted"] - marks["labelled"],
        "scan_s": marks["scored"] - marks["planned"],
        "commit_s": marks["published"] - marks["scored"],
        "report_s": time.perf_counter() - started - marks["published"],
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_memory_gib": used.ru_maxrss / 2**20,
    }


MARKS = {
    "labelled": "labelled items to fit",
    "fitted": "head fitted in",
    "planned": "rows are settled by rule",
    "scored": "0 s left",
    "published": "published as version",
}


def floor(root: str, items: int) -> dict[str, float]:
    """Measure the machine: the product alone, and reading the store's bytes alone."""
    vectors, weight = torch.rand(16_384, DIMENSIONS), torch.rand(CATEGORIES, DIMENSIONS)
    torch.nn.functional.linear(vectors, weight)
    started = time.perf_counter()
    for _ in range(5):
        torch.nn.functional.linear(vectors, weight)
    product_s = (time.perf_counter() - started) / 5 * items / len(vectors)
    started = time.perf_counter()
    (digest,) = STORAGE.names(join(root, "embeddings"))
    for file in STORAGE.names(join(root, "embeddings", digest)):
        STORAGE.read(join(root, "embeddings", digest, file))
    return {"product_floor_s": product_s, "read_floor_s": time.perf_counter() - started}


def main() -> None:
    """Prepare, run, compare; the last line is JSON."""
    given = arguments()
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder)
        root = given.store or str(local / "root")
        prepare(root, given.items, local)
        print(f"prepared {given.items:,} rows and embeddings in {root}", flush=True)
        figures = run(local) | floor(root, given.items)
    figures |= agree(needs.shared())
    pixels_s = given.items / figures["pixels_images_per_s"]
    figures["pixels_ratio"] = pixels_s / figures["seconds"]
    rounded = {name: round(value, 4) for name, value in figures.items()}
    for name, value in rounded.items():
        print(f"{name:>22} {value:>14,}")
    print(json.dumps({"items": given.items, **rounded}))


if __name__ == "__main__":
    main()
