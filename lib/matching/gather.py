"""The embeddings of a side, taken out of their store once, into a file that is mapped."""

from pathlib import Path

import numpy as np
from pyarrow import parquet

from lib.embeddings.index import PlacedReader, streamed_places
from lib.embeddings.store import Embeddings, EmbeddingStore, width_of
from lib.matching.name_table import Ints
from lib.sql import open_duckdb, read_rows

PLACES = """
    SELECT i.file_row_number AS row, min(place) AS place
    FROM read_parquet($items, file_row_number = true) i
    JOIN stored s ON s.uri = i.uri AND s.etag IS NOT DISTINCT FROM i.etag
    GROUP BY row ORDER BY place, row"""


def gather(items: Path, store: EmbeddingStore | None, scratch: Path) -> tuple[Embeddings, Ints]:
    """Take the embeddings of items out of a store.

    Args:
        items: a Parquet file of n items.
        store: the store, or None for no embeddings.
        scratch: a file to be made; it must stay for as long as the embeddings are used.

    Returns:
        The embeddings, float16 [m, d], mapped; and for each item its row among them, or -1.

    Raises:
        InputError: a file of the store is damaged.
    """
    place = np.full(parquet.read_metadata(items).num_rows, -1, np.int64)
    files = store.files if store else []
    if not files:
        return np.empty((0, 0), np.float16), place
    with open_duckdb() as connection, streamed_places(connection, files, "stored"):
        found = read_rows(connection, PLACES, {"items": str(items)}).read_all()
    width = width_of(files[0])
    if not found.num_rows:
        return np.empty((0, width), np.float16), place
    # two items may have one image: each place is read once
    places, back = np.unique(found["place"].to_numpy(), return_inverse=True)
    place[found["row"].to_numpy()] = back
    vectors = np.memmap(scratch, np.float16, "w+", shape=(len(places), width))
    start = 0
    for block in PlacedReader(files, width).read(places):
        vectors[start : start + len(block)] = block
        start += len(block)
    return vectors, place
