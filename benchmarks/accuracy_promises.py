# ruff: noqa: T201  # they speak to a person
"""The head that is fitted in seconds, and how often a promise on its embeddings is broken."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.accuracy_contenders import bundle_of, run_job, train, training_of
from benchmarks.labels import ALL, SIDES, Draw, draw, read_photos, write_manifest
from benchmarks.timed import Ran, run_timed
from lib.embeddings.store import EMBEDDING, to_matrix
from lib.models.bundle import read_bundle
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import read_taxonomy

SETTINGS = FEW, EVERY = "few", "all"
FIRST, SECOND, REST = "first", "second", "rest"  # run ids
Figures = dict[str, float | None]
Redraws = Mapping[str, Mapping[str, float]]


def measure(
    photos: Path, taxonomy: Path, settings: Sequence[str], folder: Path, end: float
) -> Figures:
    """Return the figures that have goals; None where nothing was measured, and then it is said.

    Args:
        photos: a folder of sides.
        taxonomy: its file.
        settings: of the redraws.
        folder: takes all that is written.
        end: when all must have ended, by `time.monotonic`.
    """
    drawn = draw(photos, ALL, 0, folder)
    head_s: float | None = None
    redraws: Redraws = {}
    # the second head finds all embeddings in the store
    for step in (FIRST, SECOND, REST):
        left_s = end - time.monotonic()
        ran = (
            _embed(photos, folder, left_s)
            if step == REST
            else _head(drawn, taxonomy, folder, step, left_s)
        )
        print(f"head, {step}: {ran.failure or 'done'} after {ran.seconds:.0f} s", flush=True)
        if ran.failure:
            break
        head_s = ran.seconds if step == SECOND else head_s
    else:
        collected = _collect(photos, taxonomy, folder)
        redraws = _redraw(collected, taxonomy, settings, folder, end)
    return {"head_s": head_s, **_to_goals(redraws)}


def _head(drawn: Draw, taxonomy: Path, folder: Path, run_id: str, limit_s: float) -> Ran:
    settings = {"strategy": "head", "embeddings": str(folder / "embeddings")}
    return train({**settings, **training_of(drawn, taxonomy)}, folder, run_id, limit_s)


def _embed(photos: Path, folder: Path, limit_s: float) -> Ran:
    """Embed what the store lacks: the test photos, since training has kept its own."""
    every = [photo for side in SIDES for photo in read_photos(photos, side)]
    settings = {
        "catalog": {"uri": str(write_manifest(folder / "every.csv", every))},
        "bundle": str(bundle_of(folder, FIRST)),
        "embeddings": str(folder / "embeddings"),
    }
    return run_job("embed", settings, folder, REST, limit_s)


def _collect(photos: Path, taxonomy: Path, folder: Path) -> Path:
    """Write the store's embeddings of each side beside their columns, as the redraws want them."""
    storage = Storage(StorageConfig())
    bundle = read_bundle(str(bundle_of(folder, FIRST)), storage)
    files = sorted((folder / "embeddings" / bundle.backbone_digest).glob("*.parquet"))
    rows = pa.concat_tables([parquet.read_table(file) for file in files])
    vectors = to_matrix(rows[EMBEDDING].combine_chunks()).astype(np.float32)
    place = {uri: at for at, uri in enumerate(rows["uri"].to_pylist())}
    leaves = read_taxonomy(str(taxonomy), storage).leaves
    arrays: dict[str, Any] = {}
    for side in SIDES:
        known = [each for each in read_photos(photos, side) if each[0] in place]
        arrays[f"{side}_x"] = vectors[[place[uri] for uri, _ in known]]
        arrays[f"{side}_y"] = np.array([leaves.index(leaf) for _, leaf in known], np.int64)
    path = folder / "embeddings.npz"
    np.savez(path, **arrays)
    return path


def _redraw(
    collected: Path, taxonomy: Path, settings: Sequence[str], folder: Path, end: float
) -> Redraws:
    """Redraw the labels that promises are chosen on, each setting on a core of its own."""

    def one(setting: str) -> Ran:
        command = ["benchmarks.promise_redraws", str(collected), str(taxonomy), setting]
        log = folder / f"redraws-{setting}.log"
        # small matrices: threads would only wait for each other
        return run_timed(command, end - time.monotonic(), log, {"OMP_NUM_THREADS": "1"})

    found: dict[str, Any] = {}
    with ThreadPoolExecutor(len(settings)) as pool:
        for setting, ran in zip(settings, pool.map(one, settings), strict=True):
            print(f"redraws, {setting}: {ran.failure or 'done'} after {ran.seconds:.0f} s")
            found |= {} if ran.failure else json.loads(ran.said.splitlines()[-1])
    for name, figures in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    return found


def _to_goals(redraws: Redraws) -> Figures:
    def of(setting: str, figure: str) -> float | None:
        return redraws.get(setting, {}).get(figure)

    balanced = [of(f"{each}_balanced", "below_90") for each in SETTINGS]
    return {
        "broken_10": of(f"{FEW}_strict", "below_95"),
        "broken_all": of(f"{EVERY}_strict", "below_95"),
        "balanced_below_90": max((each for each in balanced if each is not None), default=None),
        "coverage_strict": of(f"{EVERY}_strict", "coverage"),
        "coverage": of(f"{EVERY}_balanced", "coverage"),
    }
