"""Labelled photos with their embeddings, as a training that leaves the network alone makes them."""

import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import yaml

from benchmarks.timed import run_timed
from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.embeddings.lookup import look_up
from lib.embeddings.store import Embeddings, EmbeddingStore
from lib.models.bundle import read_bundle
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

STORAGE = Storage(StorageConfig())
LIMIT_S = 900.0


def write_training(folder: Path, leaves: Iterable[str], photos: Path) -> None:
    """Write the taxonomy and the run file of a training on `items.csv`, beside it.

    Args:
        folder: has the manifest.
        leaves: of the taxonomy.
        photos: the folder that the photos lie in.
    """
    described = {"version": "1", "categories": [{"id": leaf} for leaf in sorted(leaves)]}
    (folder / "taxonomy.yaml").write_text(yaml.safe_dump(described))
    training = {
        "output": str(folder / "runs"),
        "run_id": "train",
        "strategy": "head",
        "taxonomy": str(folder / "taxonomy.yaml"),
        "catalog": {"uri": str(folder / "items.csv")},
        "embeddings": str(folder / "embeddings"),
        "reading": {"stores": [str(photos.resolve())]},
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(training))


def embed_by_training(folder: Path) -> tuple[pa.Table, Embeddings]:
    """Train once, which embeds all photos; return the items, and embeddings float16 [n, d].

    Raises:
        SystemExit: the training has failed.
    """
    ran = run_timed(["jobs.train", str(folder / "train.yaml")], LIMIT_S, folder / "train.log")
    if ran.failure:
        sys.exit(f"the photos cannot be embedded: {ran.failure}; see {folder / 'train.log'}")
    bundle = read_bundle(str(folder / "runs/train/bundle"), STORAGE)
    items = read_catalog(CatalogConfig(uri=str(folder / "items.csv")), STORAGE)
    store = EmbeddingStore(str(folder / "embeddings"), bundle.backbone_digest, STORAGE)
    rows, vectors = look_up(items, store)
    return items.take(rows), vectors
