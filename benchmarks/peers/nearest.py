# ruff: noqa: T201  # it prints what it has measured
"""One peer of the search: faiss, flat or HNSW, or scikit-learn's brute force."""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.timed import most_memory_gib

TOP = 10
Matrix = np.ndarray[Any, np.dtype[np.float32]]
Ask = Callable[[Matrix], Any]


def open_flat(rows: Matrix) -> Ask:
    """Return faiss' exact search."""
    import faiss  # noqa: PLC0415  # only here

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return lambda query: index.search(query, TOP)[1][0]


def open_hnsw(rows: Matrix) -> Ask:
    """Return faiss' graph, with the connectivity and the breadth that Reshelve builds with."""
    import faiss  # noqa: PLC0415

    index = faiss.IndexHNSWFlat(rows.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 64, 128
    index.add(rows)
    return lambda query: index.search(query, TOP)[1][0]


def open_sklearn(rows: Matrix) -> Ask:
    """Return scikit-learn's brute force."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

    fitted = NearestNeighbors(n_neighbors=TOP, algorithm="brute").fit(rows)
    return lambda query: fitted.kneighbors(query, return_distance=False)[0]


OPENED: dict[str, Callable[[Matrix], Ask]] = {
    "faiss flat": open_flat,
    "faiss HNSW": open_hnsw,
    "sklearn brute": open_sklearn,
}


def main() -> None:
    """Build, ask, and print seconds, memory and rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=OPENED, required=True)
    parser.add_argument("--rows", required=True, help="float16 [n, d], as .npy")
    parser.add_argument("--queries", required=True)
    given = parser.parse_args()
    rows, queries = (unit(np.load(path)) for path in (given.rows, given.queries))
    began = time.perf_counter()
    ask = OPENED[given.peer](rows)
    build_s = time.perf_counter() - began
    taken, found = [], []
    for query in queries:
        began = time.perf_counter()
        found.append([int(row) for row in ask(query[np.newaxis])])
        taken.append(1000 * (time.perf_counter() - began))
    told = {
        "build_s": round(build_s, 1),
        "query_ms": round(float(np.median(taken)), 2),
        "query_p99_ms": round(float(np.percentile(taken, 99)), 2),
        "memory_gib": round(most_memory_gib(), 2),
        "found": found,
    }
    print(json.dumps(told))


def unit(rows: Any) -> Matrix:  # noqa: ANN401  # as numpy loads it
    """Return rows of length one, float32."""
    wide = rows.astype(np.float32)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    found: Matrix = wide
    return found


if __name__ == "__main__":
    main()
