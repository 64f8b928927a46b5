"""Stores of embeddings to be searched, made in code."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from lib.batches import to_parquet
from lib.embeddings.store import Embeddings, EmbeddingStore, to_table
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Made
from lib.models.bundle import Bundle
from lib.schemas import LABELS_SCHEMA
from lib.search.query import ImageEmbedder
from tests.helpers.catalogs import (
    LOCAL,
    TAXONOMY,
    label_rows,
    make_bundle,
    pictures,
    read_items,
    write_catalog,
)

WIDTH = 32


def vectors(count: int, seed: int) -> Embeddings:
    """Draw embeddings, float16 [count, WIDTH]."""
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float16)


def append(folder: Path, digest: str, name: str, count: int, seed: int = 0) -> None:
    """Append embeddings to the store of a backbone."""
    uris = pa.chunked_array([[f"{name}-{n:05d}.png" for n in range(count)]])
    etags = pa.chunked_array([pa.nulls(count, pa.string())])
    store = EmbeddingStore(str(folder), digest, LOCAL)
    store.append(name, [to_table(uris, etags, vectors(count, seed))])


def make_catalog(folder: Path, matrix: Embeddings) -> None:
    """Make a classified catalog of given embeddings, without images: items `00000` and on."""
    bundle = make_bundle(str(folder / "bundle"))
    ids = [f"{number:05d}" for number in range(len(matrix))]
    rows = label_rows(ids)
    store = EmbeddingStore(str(folder / "embeddings"), bundle.backbone_digest, LOCAL)
    store.append("night", [to_table(rows["uri"], rows["etag"], matrix)])
    publish(folder, rows, bundle.made)


def make_shop(folder: Path, count: int = 12, copies: int = 0) -> None:
    """Make a catalog that was classified: images, bundle, embeddings, and the table `labels`.

    Item `n` is named and labelled by `n`; `copies` of the first are `900.jpg` and on.
    """
    bundle, items = _make_images(folder, count, copies)
    store = EmbeddingStore(str(folder / "embeddings"), bundle.backbone_digest, LOCAL)
    found = _embedded(count, copies)
    store.append("night", [to_table(items["uri"], items["etag"], found)])
    rows = label_rows(items["item_id"].to_pylist()).to_pylist()
    for number, (row, item) in enumerate(zip(rows, items.to_pylist(), strict=True)):
        row |= {"uri": item["uri"], "etag": item["etag"]}  # the rows are ours
        if number % 2:
            row |= {"category_id": "skirt", "category_path": TAXONOMY.path("skirt")}
            row["decision"] = "review"
    publish(folder, pa.Table.from_pylist(rows, schema=LABELS_SCHEMA), bundle.made)


def _make_images(folder: Path, count: int, copies: int) -> tuple[Bundle, pa.Table]:
    files = pictures(count)
    files |= {f"{900 + number}.jpg": files["000.jpg"] for number in range(copies)}
    items = read_items(write_catalog(str(folder / "images"), files))
    return make_bundle(str(folder / "bundle")), items


@cache
def _embedded(count: int, copies: int) -> Embeddings:
    """Embed the pictures of a shop once: it takes seconds, and many tests want one."""
    with tempfile.TemporaryDirectory() as folder:
        bundle, items = _make_images(Path(folder), count, copies)
        embedder = ImageEmbedder(bundle, LOCAL)
        return np.stack([embedder.embed(uri) for uri in items["uri"].to_pylist()])


def publish(folder: Path, rows: pa.Table, made: Made) -> None:
    """Make the table `labels` of rows, by a run `night`."""
    part = str(folder / "part.parquet")
    LOCAL.write(part, to_parquet(rows))
    made = made.model_copy(update={"run_id": "night"})
    table = LabelsTable(str(folder / "labels"), LOCAL)
    table.publish(Change(run_id="night", base=None, parts=[part], removed=None, made=made))
