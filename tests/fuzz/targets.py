"""The readers of what comes from outside, each as a function of bytes alone."""

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import torch

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.config.config import load_run_file
from lib.config.yaml_lines import text_of
from lib.drift.sample import sample_of
from lib.errors import ReshelveError
from lib.hashing import digest_bytes
from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.models.bundle import read_bundle
from lib.models.bundle_weights import load_classifier
from lib.models.reference import REFERENCE, read_reference
from lib.reasons import ItemError
from lib.taxonomy.taxonomy import parse_taxonomy
from pipelines.classify import ClassifyRun
from pipelines.train_config import TrainRun
from tests.helpers import catalogs

OURS: Final = (ReshelveError, ItemError)
# what an image of the catalog may have at most, smaller than by default: a picture is quick
LIMITS: Final = DecodeLimits(max_pixels=1_000_000, max_bytes=1_000_000)
SHOWN: Final = catalogs.PREPROCESSING.model_copy(update={"size_px": 8})
MANIFESTS: Final = ("items.csv", "items.parquet", "items.tsv.gz", "metadata.jsonl")
# of a bundle; the first is its description, which holds the digests of the others
PARTS: Final = ("bundle.json", "taxonomy.yaml", "model.safetensors", REFERENCE)
INVENTORY: Final = '"shop","a+b.jpg","v","true","false","5","x"\n"shop","b.png","v",,,"6","y"\n'


def read_image(data: bytes) -> None:
    """Decode a file of the catalog, for a small model and whole."""
    decode(data, LIMITS, SHOWN)
    decode(data, LIMITS)


def read_taxonomy(data: bytes) -> None:
    """Read a taxonomy."""
    parse_taxonomy(text_of(data, "taxonomy.yaml"), "taxonomy.yaml")


def read_run_files(data: bytes) -> None:
    """Read a run file, of a classification and of a training."""
    with _folder() as folder:
        path = folder / "run.yaml"
        path.write_bytes(data)
        for model in (ClassifyRun, TrainRun):
            try:
                load_run_file(model, path)
            except OURS as error:
                check_words(error)


def read_manifest(data: bytes) -> None:
    """Read a catalog's manifest, whose first byte chooses its format."""
    with _folder() as folder:
        path = folder / MANIFESTS[data[0] % len(MANIFESTS) if data else 0]
        path.write_bytes(data[1:])
        read_catalog(CatalogConfig(uri=str(path)), catalogs.LOCAL)


def read_inventory(data: bytes) -> None:
    """Read an S3 Inventory; the first byte chooses the format of the file, or the manifest."""
    choice, rest = data[:1], data[1:]
    with _folder() as folder:
        part = INVENTORY.encode() if choice == b"m" else rest
        (folder / "part").write_bytes(part)
        manifest = rest if choice == b"m" else inventory_of(part, parquet=choice == b"p")
        (folder / "manifest.json").write_bytes(manifest)
        read_catalog(CatalogConfig(uri=f"{folder}/manifest.json"), catalogs.LOCAL)


def inventory_of(part: bytes, *, parquet: bool = False) -> bytes:
    """Describe an inventory of one file, which is named "part" and lies beside its manifest."""
    md5 = hashlib.md5(part, usedforsecurity=False).hexdigest()
    return json.dumps(
        {
            "sourceBucket": "shop",
            "destinationBucket": ".",
            "fileFormat": "Parquet" if parquet else "CSV",
            "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag",
            "files": [{"key": "part", "MD5checksum": md5}],
        }
    ).encode()


def read_bundle_part(data: bytes) -> None:
    """Read a bundle one part of which, by the first byte, was replaced, its digest with it."""
    part = PARTS[data[0] % len(PARTS) if data else 0]
    with _folder() as folder:
        bundle = shutil.copytree(whole_bundle(), folder / "bundle")
        (bundle / part).write_bytes(data[1:])
        if part != PARTS[0]:
            described = json.loads((bundle / PARTS[0]).read_text())
            name = part if part == REFERENCE else part.partition(".")[0]
            described["digests"][name] = digest_bytes(data[1:])
            (bundle / PARTS[0]).write_text(json.dumps(described))
        found = read_bundle(str(bundle), catalogs.LOCAL)
        read_reference(found, catalogs.LOCAL)
        load_classifier(found, catalogs.LOCAL)


@cache
def whole_bundle() -> Path:
    """Make a bundle that can be used, once per process."""
    folder = Path(tempfile.mkdtemp(prefix="reshelve-fuzz-"))
    atexit.register(shutil.rmtree, folder)
    rows = (["a", "b"], ["shirt", "hat"], torch.ones(2).numpy(), torch.ones(2, 8).half().numpy())
    catalogs.make_bundle(str(folder), architecture="squeezenet1_1", reference=sample_of(*rows))
    return folder


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "image": read_image,
    "taxonomy": read_taxonomy,
    "run-file": read_run_files,
    "manifest": read_manifest,
    "inventory": read_inventory,
    "bundle": read_bundle_part,
}


def survive(target: str, data: bytes) -> None:
    """Let a reader read; an error that is none of ours, or says nothing, is passed on."""
    try:
        TARGETS[target](data)
    except OURS as error:
        check_words(error)


def check_words(error: Exception) -> None:
    """Hold an error to a sentence per line."""
    said = error.detail if isinstance(error, ItemError) else str(error)
    assert all(line.strip() for line in said.split("\n")), f"it has an empty line: {said!r}"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="reshelve-fuzz-") as folder:
        yield Path(folder)
