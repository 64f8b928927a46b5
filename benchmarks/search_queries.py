# ruff: noqa: T201  # it prints what it has measured
"""Asks a store of embeddings, in a process of its own: seconds, memory, and what is found."""

import argparse
import json
import time

import numpy as np

from benchmarks.timed import most_memory_gib
from lib.search.nearest import open_nearest
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

TOP = 10


def main() -> None:
    """Ask each query once to warm up, then measure; print seconds, memory and uris."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True)
    parser.add_argument("--queries", required=True)
    given = parser.parse_args()
    queries = np.load(given.queries)
    began = time.perf_counter()
    nearest = open_nearest(given.store, Storage(StorageConfig()))
    open_s = time.perf_counter() - began
    for query in queries:
        nearest.search(query, TOP)
    taken, places = [], []
    for query in queries:
        began = time.perf_counter()
        places.append(nearest.search(query, TOP)[0].tolist())
        taken.append(1000 * (time.perf_counter() - began))
    memory_gib = most_memory_gib()
    wanted = {place for each in places for place in each}
    uris = {}
    for batch in nearest.read_places():
        for place, uri in zip(batch["place"].to_numpy(), batch["uri"], strict=True):
            if place in wanted:
                uris[int(place)] = uri.as_py()
    told = {
        "query_ms": round(float(np.median(taken)), 2),
        "query_p99_ms": round(float(np.percentile(taken, 99)), 2),
        "query_memory_gib": round(memory_gib, 2),
        "open_s": round(open_s, 2),
        "without_index": nearest.without_index,
        "found": [[uris[place] for place in each] for each in places],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
