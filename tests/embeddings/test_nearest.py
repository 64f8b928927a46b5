from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lib.embeddings.nearest import find_nearest, unit_length
from lib.embeddings.store import EmbeddingStore, to_table
from lib.errors import InputError
from tests.helpers.catalogs import LOCAL

WIDTH, COUNT = 8, 60
VECTORS = np.random.default_rng(3).normal(size=(COUNT, WIDTH)).astype(np.float16)


def keys(numbers: list[int]) -> pa.Table:
    return pa.table({"uri": [f"{n}.png" for n in numbers], "etag": [f"e{n}" for n in numbers]})


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    store = EmbeddingStore(str(tmp_path), "digest", LOCAL)
    for run, numbers in enumerate(np.array_split(np.random.default_rng(1).permutation(COUNT), 3)):
        some = keys(numbers.tolist())
        store.append(f"run-{run}", [to_table(some["uri"], some["etag"], VECTORS[numbers])])
    return store


def test_the_nearest_are_those_of_the_largest_cosines_whatever_file_they_are_in(
    store: EmbeddingStore,
) -> None:
    queries = VECTORS[:5] * np.float16(2)

    found = find_nearest(queries, keys([*range(COUNT)]), store, 7)

    cosines = unit_length(queries) @ unit_length(VECTORS).T
    assert found.rows.tolist() == np.argsort(-cosines, axis=1)[:, :7].tolist()
    assert found.similarity == pytest.approx(-np.sort(-cosines, axis=1)[:, :7], abs=1e-6)


def test_only_the_given_items_are_found_and_all_of_one_image(store: EmbeddingStore) -> None:
    found = find_nearest(VECTORS[4:5], keys([9, 4, 7, 4]), store, 3)

    assert sorted(found.rows[0, :2].tolist()) == [1, 3]
    assert found.rows[0, 2] in {0, 2}


def test_fewer_items_than_are_asked_for_are_all_found(store: EmbeddingStore) -> None:
    found = find_nearest(VECTORS[:2], keys([11, 12, 999]), store, 5)

    assert [sorted(each) for each in found.rows.tolist()] == [[0, 1], [0, 1]]


def test_a_query_of_another_backbone_is_refused(store: EmbeddingStore) -> None:
    with pytest.raises(InputError, match=r"run-\d\.00000\.parquet"):
        find_nearest(np.ones((1, WIDTH + 1), np.float16), keys([1]), store, 1)
