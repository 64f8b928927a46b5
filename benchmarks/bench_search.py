# ruff: noqa: T201  # it speaks to a person
"""Indexes and asks a million embeddings: recall, seconds and memory, beside faiss and sklearn.

    python -m benchmarks.bench_search [--rows N] [--peer-rows N]

Real embeddings of photos, repeated with noise, lie in files as a store has them; clustered ones in
a thousand small files, as nights leave them. Queries are rows that no file has. Each store is asked
in a process of its own; exact products say what should be found.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000)
    photos = needs.shared() / "data" / "clothing"
    parser.add_argument("--photos", type=Path, default=photos)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    asked = arguments()
    needs.check(
        needs.data(asked.photos, "photos"),
        needs.peers("bench-search"),
        needs.memory_gib(1.5 + max(asked.rows, asked.peer_rows) / 3e5),
        needs.disk_gib(1 + asked.rows / 2e5),
    )

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks.machine import processor
from benchmarks.peers.nearest import OPENED
from benchmarks.search_data import CHUNK, as_tables, clustered, photos_embedded, repeated
from benchmarks.timed import run_timed
from lib.embeddings.store import Embeddings, EmbeddingStore, to_parquet
from lib.heads.tag_examples import TagExamples
from lib.labels.delta_table import LabelsTable
from lib.labels.promises import Accept
from lib.labels.tags_table import TagsTable
from lib.schemas import LABELS_SCHEMA
from lib.search.build import index_store
from lib.search.catalog import CatalogSearch
from lib.search.items import place_items
from lib.search.nearest import open_nearest
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Category, Taxonomy
from pipelines.tag import publish, tag

STORAGE = Storage(StorageConfig())
QUERIES, TOP, NEW_ROWS = 100, 10, 10_000
TAGS, EXAMPLES = 50, 10
SMALL_FILES, SMALL_ROWS = 1_000, 200
LONGEST_S = 3_600.0
OUT = Path("benchmarks/out")


class Truth:
    """The best rows of each query by exact products, as chunks go by."""

    def __init__(self, queries: Embeddings) -> None:
        """Begin with nothing."""
        self._queries = queries.astype(np.float32)
        self._scores = np.full((len(queries), TOP), -np.inf, np.float32)
        self.rows = np.zeros((len(queries), TOP), np.int64)
        self._seen = 0

    def watch(self, chunks: Iterator[Embeddings]) -> Iterator[Embeddings]:
        """Pass chunks on, and look at them."""
        for chunk in chunks:
            rows = chunk.astype(np.float32)
            scores = self._queries @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
            numbers = np.broadcast_to(np.arange(len(chunk)) + self._seen, scores.shape)
            self._seen += len(chunk)
            scores = np.concatenate([self._scores, scores], axis=1)
            numbers = np.concatenate([self.rows, numbers], axis=1)
            best = np.argsort(-scores, axis=1)[:, :TOP]
            self._scores = np.take_along_axis(scores, best, 1)
            self.rows = np.take_along_axis(numbers, best, 1)
            yield chunk

    def recall(self, found: list[list[int]]) -> float:
        """Return the share of the best that was found."""
        pairs = zip(found, self.rows.tolist(), strict=True)
        hits = sum(len({*ours} & {*best}) for ours, best in pairs)
        return hits / self.rows.size


def ask(store: str, queries: Path, truth: Truth) -> dict[str, Any]:
    """Ask a store in a process of its own, and say how much of the best it finds."""
    command = ["benchmarks.search_queries", "--store", store, "--queries", str(queries)]
    ran = run_timed(command, LONGEST_S, queries.with_suffix(".log"))
    if ran.failure:
        raise SystemExit(ran.failure)
    told: dict[str, Any] = json.loads(ran.said.splitlines()[-1])
    found = [[int(uri.rsplit("/", 1)[-1][:8]) for uri in each] for each in told.pop("found")]
    return {"recall_at_10": round(truth.recall(found), 4), **told}


def measure_large(photos: Embeddings, rows: int, folder: Path) -> dict[str, Any]:
    """Index a store of large files, add a night to it, and ask it."""
    queries = np.concatenate([*repeated(photos, QUERIES, seed=1)])
    np.save(folder / "queries.npy", queries)
    truth = Truth(queries)
    store = EmbeddingStore(str(folder), "large", STORAGE)
    store.append("first", as_tables(truth.watch(repeated(photos, rows, seed=2))))
    began, used = time.perf_counter(), time.process_time()
    index_store(store.uri, STORAGE)
    build = {
        "build_s": round(time.perf_counter() - began, 1),
        "build_cpu_s": round(time.process_time() - used, 1),
    }
    print(build, flush=True)
    new = as_tables(truth.watch(repeated(photos, NEW_ROWS, seed=3)), first=rows)
    store.append("second", new)
    began = time.perf_counter()
    index_store(store.uri, STORAGE, only={"second.00000.parquet"})
    append_s = round(time.perf_counter() - began, 1)
    asked = ask(store.uri, folder / "queries.npy", truth)
    return {**build, "append_s": append_s, **asked, "tag_s": measure_tags(store.uri, rows, folder)}


def measure_tags(store: str, rows: int, folder: Path) -> float:
    """Tag a store's items with fifty tags of ten examples each; return the seconds of it all."""
    labels = str(folder / "labels")
    described = (labels_of(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK))
    write_deltalake(labels, pa.RecordBatchReader.from_batches(LABELS_SCHEMA, described))
    ids = np.random.default_rng(4).integers(rows, size=(TAGS, EXAMPLES))
    examples = [
        TagExamples(
            tag=f"tag {number}",
            positive=tuple(f"{each:08d}" for each in some[: EXAMPLES // 2]),
            negative=tuple(f"{each:08d}" for each in some[EXAMPLES // 2 :]),
        )
        for number, some in enumerate(ids)
    ]
    began = time.perf_counter()
    nearest = open_nearest(store, STORAGE)
    items = place_items(LabelsTable(labels, STORAGE), nearest)
    catalog = CatalogSearch(items, nearest, Taxonomy("1", (Category("any", "Any", None),)))
    tagged = tag(examples, "examples", catalog, Accept(), lambda _: None)
    publish(tagged, items, TagsTable(str(folder / "tags"), STORAGE), "bench")
    return round(time.perf_counter() - began, 1)


def labels_of(first: int, last: int) -> pa.RecordBatch:
    """Return rows of a labels table, of the items that a store has from `as_tables`."""
    count = last - first
    now = pa.scalar(datetime.now(UTC), pa.timestamp("us", tz="UTC"))
    known: dict[str, Any] = {
        "item_id": [f"{n:08d}" for n in range(first, last)],
        "uri": [f"s3://shop/{n:08d}.jpg" for n in range(first, last)],
        "category_id": pa.repeat("any", count),
        "category_path": pa.repeat("Any", count),
        "confidence": pa.repeat(pa.scalar(0.9, pa.float32()), count),
        "classified_at": pa.repeat(now, count),
    }
    words = {"etag": "e", "decision": "accept", "bundle_digest": "", "taxonomy_version": "1"}
    words["run_id"] = "bench"
    columns = [
        known[field.name]
        if field.name in known
        else pa.repeat(words[field.name], count)
        if field.name in words
        else pa.nulls(count, field.type)
        for field in LABELS_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(
        [each if isinstance(each, pa.Array) else pa.array(each) for each in columns],
        schema=LABELS_SCHEMA,
    )


def measure_small(folder: Path) -> dict[str, Any]:
    """Ask a store of a thousand small files, with their indexes and without."""
    queries = np.concatenate([*clustered(QUERIES, seed=1)])
    asked = folder / "small-queries.npy"
    np.save(asked, queries)
    truth = Truth(queries)
    store = EmbeddingStore(str(folder), "small", STORAGE)
    table = pa.concat_tables(as_tables(truth.watch(clustered(SMALL_FILES * SMALL_ROWS, seed=2))))
    Path(store.uri).mkdir()
    for number in range(SMALL_FILES):
        rows = table.slice(number * SMALL_ROWS, SMALL_ROWS)
        # not by the storage, which waits a thousand times until a file is on disk
        path = folder / "small" / f"night-{number:04d}.00000.parquet"
        path.write_bytes(to_parquet([rows], rows.schema))
    index_store(store.uri, STORAGE)
    return ask(store.uri, asked, truth)


def measure_peers(photos: Embeddings, rows: int, folder: Path) -> dict[str, Any]:
    """Ask each peer about as many rows, in a process of its own; a failure is a result."""
    queries = np.concatenate([*repeated(photos, QUERIES, seed=1)])
    truth = Truth(queries)
    paths = folder / "peer-rows.npy", folder / "peer-queries.npy"
    np.save(paths[0], np.concatenate([*truth.watch(repeated(photos, rows, seed=2))]))
    np.save(paths[1], queries)
    measured: dict[str, Any] = {}
    for peer in OPENED:
        files = ["--rows", str(paths[0]), "--queries", str(paths[1])]
        ran = run_timed(
            ["benchmarks.peers.nearest", "--peer", peer, *files],
            LONGEST_S,
            OUT / f"search-{peer.replace(' ', '-')}.log",
            {"PYTHONPATH": str(needs.peers_folder("bench-search"))},
        )
        if ran.failure:
            measured[peer] = ran.failure
        else:
            told = json.loads(ran.said.splitlines()[-1])
            measured[peer] = {"recall_at_10": round(truth.recall(told.pop("found")), 4), **told}
        print(peer, measured[peer], flush=True)
    return measured


def main() -> None:
    """Measure, and print all figures as one line of JSON."""
    given = arguments()
    photos = photos_embedded(given.photos, OUT / "search-embeddings.npy")
    figures: dict[str, Any] = {"processor": processor(), "rows": given.rows}
    with tempfile.TemporaryDirectory(dir=OUT) as temporary:
        folder = Path(temporary)
        figures |= measure_large(photos, given.rows, folder)
        print(figures, flush=True)
        figures["small_files"] = measure_small(folder)
        print(figures["small_files"], flush=True)
        figures["peer_rows"] = given.peer_rows
        figures["peers"] = measure_peers(photos, given.peer_rows, folder)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
