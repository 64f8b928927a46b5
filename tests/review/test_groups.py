"""Groups of what looks alike: the same each time, and none where nothing is known."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from lib.embeddings.store import EmbeddingStore, to_table
from lib.review.groups import group_items
from tests.helpers.catalogs import LOCAL, label_rows

ITEMS, LOOKS, WIDTH = 120, 3, 16


def stored(folder: Path, items: pa.Table) -> EmbeddingStore:
    """Keep embeddings of three looks, in turn."""
    random = np.random.default_rng(0)
    looks = 4 * random.random((LOOKS, WIDTH))
    vectors = looks[np.arange(items.num_rows) % LOOKS] + 0.1 * random.random(
        (items.num_rows, WIDTH)
    )
    store = EmbeddingStore(str(folder), "digest", LOCAL)
    store.append("night", [to_table(items["uri"], items["etag"], vectors.astype(np.float16))])
    return store


def test_what_looks_alike_is_one_group(tmp_path: Path) -> None:
    items = label_rows([f"{n:03d}" for n in range(ITEMS)])
    store = stored(tmp_path, items)

    found = group_items(items, store, groups=LOOKS).to_pylist()

    assert len(set(found)) == LOOKS
    assert found == [found[n % LOOKS] for n in range(ITEMS)]
    assert found == group_items(items, store, groups=LOOKS).to_pylist()


def test_an_item_without_an_embedding_is_in_no_group(tmp_path: Path) -> None:
    items = label_rows([f"{n:03d}" for n in range(ITEMS)])
    store = stored(tmp_path, items.slice(0, ITEMS - 1))

    found = group_items(items, store, groups=LOOKS)

    assert (found.null_count, found[ITEMS - 1].as_py()) == (1, None)


def test_few_items_and_an_empty_store_have_no_groups(tmp_path: Path) -> None:
    items = label_rows(["a", "b"])

    assert group_items(items, stored(tmp_path, items)).null_count == 2
    assert group_items(items, EmbeddingStore(str(tmp_path), "other", LOCAL)).null_count == 2
