"""Groups of items that look alike, for any number of items: found on a sample, given to all."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lib.embeddings.index import PlacedReader
from lib.embeddings.lookup import find_places
from lib.embeddings.store import Embeddings, EmbeddingStore, width_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

GROUPS, FEWEST_EACH = 50, 10
SAMPLE_ITEMS = 10_000
COMPONENTS = 50  # directions along which images vary most
Floats = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


def group_items(items: pa.Table, store: EmbeddingStore, groups: int = GROUPS) -> pa.Array:
    """Give each item the number of its group, for `order_rows`.

    The same items have the same groups each time.

    Args:
        items: n rows with the columns uri and etag.
        store: of their embeddings; one row group is in memory at a time.
        groups: how many; fewer where each would have fewer than ten items of the sample.

    Returns:
        int32 [n]; null for an item without an embedding, and for all where they are too few.

    Raises:
        InputError: a file of the store is damaged.
    """
    rows, places = find_places(items, store)
    unique, back = np.unique(places, return_inverse=True)
    step = -(-len(unique) // SAMPLE_ITEMS) or 1
    sample = unique[::step]
    groups = min(groups, len(sample) // FEWEST_EACH)
    if groups < 2:
        return pa.nulls(items.num_rows, pa.int32())
    files = store.files
    reader = PlacedReader(files, width_of(files[0]))
    model = _fit(np.concatenate(list(reader.read(sample))), groups)
    found = np.concatenate([model.predict(_even(block)) for block in reader.read(unique)])
    numbers: Ints = np.full(items.num_rows, -1, np.int64)
    numbers[rows] = found[back]
    return pa.array(numbers, pa.int32(), mask=numbers < 0)


def _fit(sample: Embeddings, groups: int) -> "Pipeline":
    from sklearn.cluster import MiniBatchKMeans  # noqa: PLC0415  # takes a second
    from sklearn.decomposition import PCA  # noqa: PLC0415  # as above
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415  # as above

    components = min(COMPONENTS, *sample.shape)
    model = make_pipeline(
        PCA(components, random_state=0), MiniBatchKMeans(groups, n_init=3, random_state=0)
    )
    return model.fit(_even(sample))


def _even(vectors: Embeddings) -> Floats:
    """Return roots, which even out embeddings that are mostly small, at length 1."""
    exact = vectors.astype(np.float32)
    raised = np.sign(exact) * np.sqrt(np.abs(exact))
    length = np.linalg.norm(raised, axis=1, keepdims=True)
    scaled: Floats = raised / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled
