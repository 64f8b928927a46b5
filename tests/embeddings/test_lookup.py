from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lib.embeddings.lookup import look_up
from lib.embeddings.store import EmbeddingStore, to_table
from lib.errors import InputError
from tests.helpers.catalogs import LOCAL

WIDTH = 6


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    """A store of two files: images 0 to 5, and 6 to 9, which have no etag."""
    store = EmbeddingStore(str(tmp_path), "digest", LOCAL)
    store.append("run-1", [stored(range(6))])
    store.append("run-2", [stored(range(6, 10))])
    return store


def keys(numbers: range) -> pa.Table:
    etags = [f"e{n}" if n < 6 else None for n in numbers]
    return pa.table({"uri": [f"{n}.png" for n in numbers], "etag": pa.array(etags, pa.string())})


def stored(numbers: range) -> pa.Table:
    vectors = np.array([[n + k / 8 for k in range(WIDTH)] for n in numbers], np.float16)
    return to_table(keys(numbers)["uri"], keys(numbers)["etag"], vectors)


def found(items: pa.Table, store: EmbeddingStore) -> dict[int, float]:
    """Return the first value of each embedding, by the row of its item."""
    rows, vectors = look_up(items, store)
    assert vectors.shape == (len(rows), WIDTH)
    assert vectors.dtype == np.float16
    return dict(zip(rows.to_pylist(), vectors[:, 0].tolist(), strict=True))


def test_each_item_gets_the_embedding_of_its_own_image(store: EmbeddingStore) -> None:
    items = keys(range(10)).take(pa.array([7, 2, 9, 0]))

    assert found(items, store) == {0: 7, 1: 2, 2: 9, 3: 0}


def test_an_item_whose_image_has_changed_has_none(store: EmbeddingStore) -> None:
    items = pa.table({"uri": ["1.png", "2.png", "7.png"], "etag": ["other", "e2", "new"]})

    assert found(items, store) == {1: 2}


def test_an_item_without_an_etag_is_not_one_that_has_one(store: EmbeddingStore) -> None:
    items = pa.table({"uri": ["1.png", "7.png"], "etag": pa.array([None, None], pa.string())})

    assert found(items, store) == {1: 7}


def test_two_items_of_one_image_get_one_embedding_each(store: EmbeddingStore) -> None:
    items = keys(range(10)).take(pa.array([3, 4, 3]))

    assert found(items, store) == {0: 3, 1: 4, 2: 3}


def test_an_embedding_that_is_stored_twice_is_found_once(store: EmbeddingStore) -> None:
    other = EmbeddingStore(store.uri, "copy", LOCAL)
    other.append("run-3", [stored(range(3))])
    for file in other.files:
        LOCAL.write(f"{store.uri}/run-3.00000.parquet", LOCAL.read(file.uri))

    assert found(keys(range(10)), store) == {n: n for n in range(10)}


@pytest.mark.parametrize("given", [0, 2])
def test_an_empty_store_has_nothing(tmp_path: Path, given: int) -> None:
    rows, vectors = look_up(keys(range(given)), EmbeddingStore(str(tmp_path), "none", LOCAL))

    assert (len(rows), len(vectors)) == (0, 0)


def test_no_items_have_no_embeddings(store: EmbeddingStore) -> None:
    rows, vectors = look_up(keys(range(0)), store)

    assert (len(rows), len(vectors)) == (0, 0)


def test_where_nothing_is_found_there_is_a_matrix_without_rows(store: EmbeddingStore) -> None:
    items = pa.table({"uri": ["unknown.png"], "etag": ["e"]})

    assert found(items, store) == {}


def test_a_damaged_file_is_named(store: EmbeddingStore) -> None:
    uri = store.files[0].uri
    LOCAL.write(uri, LOCAL.read(uri)[:40])

    with pytest.raises(InputError, match=r"run-1\.00000\.parquet"):
        look_up(keys(range(3)), store)
