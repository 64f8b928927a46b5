"""Looking up the embeddings of given items in a store."""

import numpy as np
import pyarrow as pa

from lib.embeddings.index import PlacedReader, Places, streamed_places
from lib.embeddings.store import KEY, Embeddings, EmbeddingStore, width_of
from lib.sql import open_duckdb, read_rows

QUERY = """
    SELECT i.row, min(place) AS place FROM items i
    JOIN stored s ON s.uri = i.uri AND s.etag IS NOT DISTINCT FROM i.etag
    GROUP BY i.row ORDER BY place, i.row"""


def find_places(items: pa.Table, store: EmbeddingStore) -> tuple[Places, Places]:
    """Find where in a store the embeddings of some items lie.

    Args:
        items: n rows with the columns uri and etag.
        store: the store.

    Returns:
        The rows that have an embedding, int64 [m], and their places, int64 [m], which ascend.

    Raises:
        InputError: a file of the store is damaged.
    """
    files = store.files
    if not files or not items.num_rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    numbers = pa.array(range(items.num_rows), pa.int64())
    with open_duckdb() as connection, streamed_places(connection, files, "stored"):
        connection.register("items", items.select(KEY).append_column("row", numbers))
        found = read_rows(connection, QUERY, {}).read_all()
    return found["row"].to_numpy(), found["place"].to_numpy()


def look_up(items: pa.Table, store: EmbeddingStore) -> tuple[pa.Array, Embeddings]:
    """Find what a store has of some items.

    Args:
        items: n rows with the columns uri and etag.
        store: the store.

    Returns:
        The rows that have an embedding, int64 [m], and the embeddings, float16 [m, d].

    Raises:
        InputError: a file of the store is damaged.
    """
    files = store.files
    if not files or not items.num_rows:
        return pa.array([], pa.int64()), np.empty((0, 0), np.float16)
    rows, places = find_places(items, store)
    width = width_of(files[0])
    nothing = np.empty((0, width), np.float16)
    # two items may have one image: each place is read once
    unique, back = np.unique(places, return_inverse=True)
    vectors = np.concatenate([nothing, *PlacedReader(files, width).read(unique)])
    return pa.array(rows), vectors[back]
